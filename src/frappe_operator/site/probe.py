"""Whether visitors reach a site and get an answer: proxies and site are asked over HTTP, as visitors would.

They are asked once everything else has been written: whoever does not answer holds up nothing but this.
"""

from datetime import datetime
from typing import NamedTuple

from frappe_operator.api.labels import BENCH_LABEL, COMPONENT_LABEL
from frappe_operator.components.nginx import PORT
from frappe_operator.components.proxy import PART as PROXY_PART
from frappe_operator.kube import conditions
from frappe_operator.kube.kinds import POD, SERVICE
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import available
from frappe_operator.model.site import Site
from frappe_operator.runtime.client.fetch import Answer, Fetch
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.site.observe import Observed

PING = "/api/method/ping"
SOONEST_SECONDS, LATEST_SECONDS = 2.0, 60.0
"""Between two questions to a site that does not answer, while everything it needs is in place."""


class Answers(NamedTuple):
    """What the proxies and the site said."""

    proxies: dict[str, Answer]
    """By proxy pod and host, `/healthz`: which site that proxy has for the host."""
    ping: Answer | None


def settled(observed: Observed, site: Site) -> bool:
    """Whether the last status says Ready for the present generation and host. Such a site is not probed again."""
    ready = next((each for each in observed.last_status.conditions if each.type == conditions.READY), None)
    return (
        ready is not None
        and ready.status == "True"
        and ready.observed_generation == observed.live.metadata.generation
        and observed.last_status.resolved_domain == site.domain.host
    )


def again(observed: Observed, now: float) -> float:
    """Seconds until a site that does not answer is asked again: the longer nothing about it has changed, the later."""
    changes = [each.last_transition_time for each in observed.last_status.conditions if each.last_transition_time]
    age = now - datetime.fromisoformat(max(changes)).timestamp() if changes else 0.0
    return min(max(SOONEST_SECONDS, age / 4), LATEST_SECONDS)


async def ask(cluster: Cluster, site: Site, observed: Observed, fetch: Fetch) -> Answers | None:
    """Asks every proxy for every host of the site, and the site for a ping. None while no web pod can answer."""
    namespace = site.owner.namespace
    service = cluster.get(SERVICE, namespace, site.bench.nginx)
    # During a rolling update some pod is ready, and visitors are answered. Where none is wanted, the proxies answer.
    if observed.web is None or service is None:
        return None
    if not observed.web.status.ready_replicas and not available(observed.web):
        return None
    labels = f"{BENCH_LABEL}={site.bench.bench},{COMPONENT_LABEL}={PROXY_PART}"
    ips = {
        pod["metadata"]["name"]: pod["status"]["podIP"]
        for pod in await cluster.list(POD, namespace, labels)
        if "deletionTimestamp" not in pod["metadata"] and _ready(pod)
    }
    proxies = {
        f"{pod} {host}": await fetch(f"http://{address(ip)}:{PORT}/healthz", host)
        for pod, ip in ips.items()
        for host in site.domain.hosts
    }
    ping = await fetch(f"http://{address(service.spec.cluster_ip)}:{PORT}{PING}", site.domain.host)
    return Answers(proxies, ping)


def _ready(pod: Manifest) -> bool:
    """Whether visitors are sent to a pod. One that starts has no older map than any other when it is ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def address(ip: str) -> str:
    """An IP address as it stands in a URL."""
    return f"[{ip}]" if ":" in ip else ip
