"""Probes of a site over HTTP: whether the proxies route its hosts, and whether Frappe answers a ping.

A reconcile probes after everything else has been applied: a proxy or site that does not respond delays nothing else.
"""

from datetime import datetime
from typing import NamedTuple

from frappe_operator.api.labels import BENCH_LABEL, COMPONENT_LABEL
from frappe_operator.components.nginx import PORT
from frappe_operator.components.proxy import ANNOUNCED, UPGRADING_PATH
from frappe_operator.components.proxy import PART as PROXY_PART
from frappe_operator.kube import conditions
from frappe_operator.kube.kinds import POD, SERVICE
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import available
from frappe_operator.model.host import example
from frappe_operator.model.site import Site
from frappe_operator.model.upgrade import Step
from frappe_operator.runtime.client.fetch import Answer, Fetch
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.site.observe import LastUpgrade, Observed

PING = "/api/method/ping"
SOONEST_SECONDS, LATEST_SECONDS = 2.0, 60.0
"""Shortest and longest time between two probes of a site that does not respond although its workloads are ready."""


class Responses(NamedTuple):
    """The responses of the proxies and of the site to one round of probes."""

    proxies: dict[str, Answer]
    """By `<proxy pod> <host>`, the response of `/healthz`: the name of the site to which that proxy routes the host."""
    ping: Answer | None
    """The response to a ping through the proxies."""


def settled(observed: Observed, site: Site) -> bool:
    """Whether the last status is Ready for the current generation and host. Such a site is not probed again."""
    ready = next((each for each in observed.last_status.conditions if each.type == conditions.READY), None)
    return (
        ready is not None
        and ready.status == "True"
        and ready.observed_generation == observed.live.metadata.generation
        and observed.last_status.resolved_domain == site.domain.host
    )


def requeue_after(observed: Observed, now: float) -> float:
    """Seconds until the next probe of a site that does not respond: they grow with the time since its last
    transition."""
    changes = [each.last_transition_time for each in observed.last_status.conditions if each.last_transition_time]
    age = now - datetime.fromisoformat(max(changes)).timestamp() if changes else 0.0
    return min(max(SOONEST_SECONDS, age / 4), LATEST_SECONDS)


async def probe(cluster: Cluster, site: Site, observed: Observed, fetch: Fetch) -> Responses | None:
    """Probes every proxy pod for every host of the site, and pings the site. None while no web pod is ready."""
    namespace = site.owner.namespace
    service = cluster.get(SERVICE, namespace, site.bench.nginx)
    # During a rolling update at least one pod is ready. With zero replicas, the proxies respond.
    if observed.web is None or service is None:
        return None
    if not observed.web.status.ready_replicas and not available(observed.web):
        return None
    ips = await _proxies(cluster, namespace, site.bench.bench)
    proxies = {
        f"{pod} {host}": await fetch(f"http://{address(ip)}:{PORT}/healthz", example(host))
        for pod, ip in ips.items()
        for host in site.domain.hosts
    }
    ping = await fetch(f"http://{address(service.spec.cluster_ip)}:{PORT}{PING}", site.domain.host)
    return Responses(proxies, ping)


async def announced(cluster: Cluster, observed: Observed, fetch: Fetch) -> Observed:
    """The observed state, completed for a site that has its turn to upgrade by whether every proxy pod has the
    maintenance page for all its hosts, and whether the turn waits too long for running jobs."""
    progress = observed.upgrade.progress
    if progress is None or progress.web_stops:
        return observed
    ips = await _proxies(cluster, observed.live.metadata.namespace, observed.bench.name)
    hosts = [host for host in observed.domain.hosts if host not in observed.conflicting_hosts]
    answers = [
        await fetch(f"http://{address(ip)}:{PORT}{UPGRADING_PATH}", example(host))
        for ip in ips.values()
        for host in hosts
    ]
    done = bool(ips) and all(answer.body.strip() == ANNOUNCED for answer in answers)
    overdue = _drains_for(observed.last_status.upgrade, cluster.clock()) > observed.bench.upgrade.drain_timeout
    progress = progress._replace(announced=done, overdue=overdue)
    return observed._replace(upgrade=observed.upgrade._replace(progress=progress))


def _drains_for(last: LastUpgrade | None, now: float) -> float:
    """Seconds that a site drains, by its last status; 0 if that does not say."""
    if last is None or last.step != Step.DRAINING or not last.since:
        return 0.0
    return now - datetime.fromisoformat(last.since).timestamp()


async def _proxies(cluster: Cluster, namespace: str, bench: str) -> dict[str, str]:
    """Addresses of the proxy pods of a bench that receive traffic, by name."""
    labels = f"{BENCH_LABEL}={bench},{COMPONENT_LABEL}={PROXY_PART}"
    return {
        pod["metadata"]["name"]: pod["status"]["podIP"]
        for pod in await cluster.list(POD, namespace, labels)
        if "deletionTimestamp" not in pod["metadata"] and _ready(pod)
    }


def _ready(pod: Manifest) -> bool:
    """Whether a proxy pod is ready, and so receives traffic."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def address(ip: str) -> str:
    """An IP address as it is written in a URL: IPv6 addresses in brackets."""
    return f"[{ip}]" if ":" in ip else ip
