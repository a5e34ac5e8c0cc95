"""Reads what there is around a site."""

import base64
from typing import NamedTuple

import msgspec

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.components.database import DATABASE_LABEL
from frappe_operator.components.nginx import PORT
from frappe_operator.components.proxy import PART as PROXY_PART
from frappe_operator.kube import conditions
from frappe_operator.kube.kinds import (
    BENCH,
    CONFIG_MAP,
    DEPLOYMENT,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
    Key,
)
from frappe_operator.kube.live import Condition, Custom, Pod, Service, StorageClass, Workload
from frappe_operator.kube.names import BENCH_LABEL, COMPONENT_LABEL
from frappe_operator.kube.readiness import Report, available
from frappe_operator.kube.stage import Blocked, Reason
from frappe_operator.kube.view import View
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain, report
from frappe_operator.model import site as model
from frappe_operator.model.bench import RWO, Bench
from frappe_operator.model.settings import Images
from frappe_operator.model.site import Connection, Site, SiteNames
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.fetch import Answer, Fetch


class Known(msgspec.Struct, rename="camel"):
    """The part of our own last status that saves asking again what was answered."""

    conditions: tuple[Condition, ...] = ()
    resolved_domain: str = ""
    installed_apps: list[str] | None = None


class Seen(NamedTuple):
    """What there is around a site."""

    live: Custom
    bench: Bench
    bench_conditions: dict[str, Condition]
    classes: dict[str, StorageClass]
    reports: dict[str, Report]
    mariadb: Workload | None
    """The bench's own MariaDB."""
    retained_database: str
    connection: Connection | None
    known: Known
    taken: dict[str, Key]
    """Hosts the site wants that are another's."""


class Answers(NamedTuple):
    """What the proxies and the site said when they were asked over HTTP."""

    proxies: dict[str, Answer]
    """By proxy pod and host, `/healthz`: which site that proxy has for the host."""
    ping: Answer | None


async def observe(cluster: View, live: Custom, images: Images) -> Seen:
    """Everything a site is decided from. Raises Blocked when its bench or its Secret is missing."""
    namespace, name = live.metadata.namespace, live.metadata.name
    spec = model.parse(live)
    names, bench_name = SiteNames(name), spec.bench_ref.name
    bench_live = cluster.get(BENCH, namespace, bench_name)
    if not isinstance(bench_live, Custom):
        message = f"FrappeBench {bench_name} does not exist in namespace {namespace}: create it, or correct benchRef"
        raise Blocked(Reason.BENCH_NOT_FOUND, message)
    bench_names = bench_model.Names(bench_name)
    body = await cluster.body(CONFIG_MAP, namespace, bench_names.image)
    facts = bench_model.facts_from((body or {}).get("data") or {})
    bench = bench_model.resolve(bench_live, images, facts=facts, access_mode=RWO)
    mariadb = cluster.get(STATEFUL_SET, namespace, bench_names.mariadb)
    secret = cluster.get(SECRET, namespace, names.connection)
    label = secret.metadata.label(DATABASE_LABEL) if secret else ""
    pods = [pod for pod in cluster.select(POD, report.SITE_INDEX, f"{namespace}/{name}") if isinstance(pod, Pod)]
    hosts = domain.Register(cluster)
    wanted = domain.resolve(spec, bench.suffix)
    holders = {host: hosts.holder(host) for host in wanted.hosts}
    return Seen(
        live=live,
        bench=bench,
        bench_conditions={each.type: each for each in known(bench_live).conditions},
        classes={each.metadata.name: each for each in cluster.all(STORAGE_CLASS) if isinstance(each, StorageClass)},
        reports=report.reports(pods),
        mariadb=mariadb if isinstance(mariadb, Workload) else None,
        retained_database=f"_{label}" if label else "",
        connection=await _connection(cluster, spec, namespace),
        known=known(live),
        taken={host: key for host, key in holders.items() if key not in (None, live.metadata.key)},
    )


def resolve(seen: Seen) -> Site:
    """The site as decided. Raises Blocked when the user must change something, Waiting while the image is unknown."""
    return model.resolve(
        seen.live,
        model.parse(seen.live),
        seen.bench,
        retained_database=seen.retained_database,
        connection=seen.connection,
    )


def known(live: Custom) -> Known:
    """An object's status as far as we use it; an unreadable one is an empty one."""
    try:
        return msgspec.json.decode(live.said, type=Known)
    except msgspec.MsgspecError:
        return Known()


def settled(seen: Seen, site: Site) -> bool:
    """Whether the site was seen answering, as it is now: nobody need ask again."""
    ready = next((each for each in seen.known.conditions if each.type == conditions.READY), None)
    return (
        ready is not None
        and ready.status == "True"
        and ready.observed_generation == seen.live.metadata.generation
        and seen.known.resolved_domain == site.domain.host
    )


async def ask(cluster: Cluster, site: Site, fetch: Fetch) -> Answers | None:
    """Asks every proxy for every host of the site, and the site for a ping. None while nobody can answer."""
    namespace = site.owner.namespace
    web = cluster.get(DEPLOYMENT, namespace, site.names.gunicorn)
    service = cluster.get(SERVICE, namespace, site.bench.nginx)
    if not isinstance(web, Workload) or not available(web) or not isinstance(service, Service):
        return None
    labels = f"{BENCH_LABEL}={site.bench.bench},{COMPONENT_LABEL}={PROXY_PART}"
    ips = {
        pod["metadata"]["name"]: pod["status"]["podIP"]
        for pod in await cluster.list(POD, namespace, labels)
        if "deletionTimestamp" not in pod["metadata"] and pod.get("status", {}).get("podIP")
    }
    proxies = {
        f"{pod} {host}": await fetch(f"http://{address(ip)}:{PORT}/healthz", host)
        for pod, ip in ips.items()
        for host in site.domain.hosts
    }
    ping = await fetch(f"http://{address(service.spec.cluster_ip)}:{PORT}/api/method/ping", site.domain.host)
    return Answers(proxies, ping)


def address(ip: str) -> str:
    """An IP address as it stands in a URL."""
    return f"[{ip}]" if ":" in ip else ip


async def _connection(cluster: View, spec: FrappeSiteSpec, namespace: str) -> Connection | None:
    if spec.db_config is None or spec.db_config.connection_secret_ref is None:
        return None
    name = spec.db_config.connection_secret_ref.name
    secret = await cluster.read(SECRET, namespace, name)
    if secret is None:
        return model.connection_from(name, None, "")
    data = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
    return model.connection_from(name, data, secret["metadata"]["resourceVersion"])
