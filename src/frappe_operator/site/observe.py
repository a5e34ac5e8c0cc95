"""Reads what there is around a site."""

import base64
from typing import NamedTuple

import msgspec

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.api.kinds import BENCH, LiveBench, LiveSite
from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.components.database import DATABASE_LABEL
from frappe_operator.components.storage import QUEUES_LABEL
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, POD, PVC, SECRET, STATEFUL_SET, STORAGE_CLASS
from frappe_operator.kube.live import Claim, Condition, Job, Live, StorageClass, Workload
from frappe_operator.kube.names import OURS
from frappe_operator.kube.objects import Key
from frappe_operator.kube.readiness import Report, available
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.kube.view import View
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain, job_reports
from frappe_operator.model import site as model
from frappe_operator.model.bench import RWO, Bench
from frappe_operator.model.domain import Domain
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.settings import Images
from frappe_operator.model.site import Connection, Site, SiteNames


class LastStatus(msgspec.Struct, rename="camel"):
    """The part of our own last status that saves asking again what was answered."""

    conditions: tuple[Condition, ...] = ()
    resolved_domain: str = ""
    installed_apps: list[str] | None = None
    database_name: str = ""


class Observed(NamedTuple):
    """What there is around a site."""

    live: LiveSite
    spec: FrappeSiteSpec
    bench_live: LiveBench
    bench: Bench
    bench_conditions: dict[str, Condition]
    classes: dict[str, StorageClass]
    reports: dict[str, Report]
    mariadb: Workload | None
    """The bench's own MariaDB."""
    web: Workload | None
    """The site's own gunicorn."""
    retained_database: str
    connection_secret: Live | None
    """Our own."""
    admin_secret: Live | None
    claim: Claim | None
    """For the site's files."""
    prepared: Job | None
    """The Job that makes the site's database, or checks the user's own."""
    created: Job | None
    """The Job that creates the site."""
    configuring: list[Job]
    """Jobs that bring address and credentials into the site, the present ones or earlier ones."""
    connection: Connection | None
    connection_data: dict[str, str] | None
    """The Secret of the user's own database, decoded, but for its password; None when there is none."""
    last_status: LastStatus
    earlier_pods: list[str] | None
    """Pods of the site that run an earlier image, those that are ending included; None while nobody needs to know."""
    domain: Domain
    taken: dict[str, Key]
    """Hosts the site wants that are another's."""


async def observe(cluster: View, live: LiveSite, images: Images) -> Observed:
    """Everything a site is decided from. Raises Blocked when it has no spec or no bench."""
    namespace, name = live.metadata.namespace, live.metadata.name
    spec = model.parse(live)
    names, bench_name = SiteNames(name), spec.bench_ref.name
    bench_live = cluster.get(BENCH, namespace, bench_name)
    if bench_live is None:
        if bench_namespace_problem := model.bench_namespace_problem(spec, namespace):
            raise Blocked(Reason.INVALID_SPEC, bench_namespace_problem)
        message = f"FrappeBench {bench_name} does not exist in namespace {namespace}: create it, or correct benchRef"
        raise Blocked(FrappeReason.BENCH_NOT_FOUND, message)
    bench_names = bench_model.Names(bench_name)
    body = await cluster.body(CONFIG_MAP, namespace, bench_names.image)
    facts = bench_model.inspected(bench_live, (body or {}).get("data") or {}).facts
    try:
        bench = bench_model.resolve(bench_live, images, facts=facts, access_mode=RWO)
    except Blocked as blocked:
        raise Blocked(Reason.INVALID_SPEC, f"FrappeBench {bench_name}: {blocked}") from blocked
    mariadb = cluster.get(STATEFUL_SET, namespace, bench_names.mariadb)
    web = cluster.get(DEPLOYMENT, namespace, names.gunicorn)
    secret = cluster.get(SECRET, namespace, names.connection)
    label = secret.metadata.label(DATABASE_LABEL) if secret else ""
    hosts = domain.Register(cluster)
    wanted = domain.resolve(spec, bench.suffix)
    holders = {host: hosts.holder(host) for host in wanted.hosts}
    connection, data = await _connection(cluster, spec, namespace)
    return Observed(
        live=live,
        spec=spec,
        bench_live=bench_live,
        bench=bench,
        bench_conditions={each.type: each for each in bench_live.conditions},
        classes={each.metadata.name: each for each in cluster.all(STORAGE_CLASS)},
        reports=job_reports.reports(cluster.select(POD, job_reports.SITE_INDEX, f"{namespace}/{name}")),
        mariadb=mariadb,
        web=web,
        retained_database=f"_{label}" if label else "",
        connection_secret=secret,
        admin_secret=cluster.get(SECRET, namespace, names.admin),
        claim=cluster.get(PVC, namespace, names.files),
        prepared=cluster.get(JOB, namespace, names.database),
        created=cluster.get(JOB, namespace, names.create),
        configuring=cluster.select(JOB, model.CONFIGURE_INDEX, f"{namespace}/{name}"),
        connection=connection,
        connection_data=data,
        last_status=last_status(live),
        earlier_pods=await _earlier_pods(cluster, live, bench, web),
        domain=wanted,
        taken={host: key for host, key in holders.items() if key not in (None, live.metadata.key)},
    )


async def _earlier_pods(cluster: View, live: LiveSite, bench: Bench, web: Workload | None) -> list[str] | None:
    """Asked of the API server, for these pods are not watched; only between a rollout and the Job that follows it."""
    image, namespace, name = bench.running_image, live.metadata.namespace, live.metadata.name
    if bench.facts is None or not bench.facts.previous_key or image is None:
        return None
    rolled_out = web is not None and available(web)
    if not rolled_out or cluster.get(JOB, namespace, SiteNames(name).assets(image.key)) is not None:
        return None
    return [
        pod["metadata"]["name"]
        for pod in await cluster.list(POD, namespace, f"{OURS},{SITE_LABEL}={name}")
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        # Somebody may have put a container of another image beside ours.
        and image.reference not in [each["image"] for each in pod["spec"]["containers"]]
    ]


def resolve(observed: Observed) -> Site:
    """The site as decided. Raises Waiting while the image is unknown."""
    return model.resolve(
        observed.live,
        observed.spec,
        observed.bench,
        domain=observed.domain,
        retained_database=observed.retained_database,
        origin=observed.claim.metadata.label(model.ORIGIN_LABEL) if observed.claim else "",
        revision=str(observed.connection_secret.metadata.resource_version) if observed.connection_secret else "",
        recorded_bench_id=observed.claim.metadata.label(QUEUES_LABEL) if observed.claim else None,
        live_mode=observed.claim.access_mode if observed.claim else "",
        connection=observed.connection,
        known_database=observed.last_status.database_name,
    )


def last_status(live: LiveSite) -> LastStatus:
    """An object's status as far as we use it; an unreadable one is an empty one."""
    try:
        return msgspec.json.decode(live.status_json, type=LastStatus)
    except msgspec.MsgspecError:
        return LastStatus()


async def _connection(
    cluster: View, spec: FrappeSiteSpec, namespace: str
) -> tuple[Connection | None, dict[str, str] | None]:
    if spec.db_config is None or spec.db_config.connection_secret_ref is None:
        return None, None
    name = spec.db_config.connection_secret_ref.name
    secret = await cluster.body(SECRET, namespace, name, model.without_password)
    if secret is None:
        return model.connection_from(name, None, ""), None
    data = {key: base64.b64decode(value).decode(errors="replace") for key, value in secret["data"].items()}
    return model.connection_from(name, data, secret["metadata"]["resourceVersion"]), data
