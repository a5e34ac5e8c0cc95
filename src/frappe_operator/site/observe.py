"""Observes a site: reads every fact that it is resolved from."""

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.api.kinds import BENCH, LiveBench, LiveSite
from frappe_operator.api.labels import COMPONENT_LABEL, SITE_LABEL
from frappe_operator.components.database.interface import DATABASE_LABEL, ObservedDatabase
from frappe_operator.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HPA,
    JOB,
    POD,
    PVC,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
)
from frappe_operator.kube.live import (
    OPERATOR_NAME,
    Autoscaler,
    Claim,
    Condition,
    Job,
    Live,
    StorageClass,
    Workload,
)
from frappe_operator.kube.names import MANAGED_BY, OPERATOR_SELECTOR
from frappe_operator.kube.readiness import Report, succeeded
from frappe_operator.kube.view import View
from frappe_operator.model import bench as bench_model
from frappe_operator.model import database, domain, first_apps, host_claims, job_reports
from frappe_operator.model import site as model
from frappe_operator.model.bench import BenchOffer, secret_revision
from frappe_operator.model.database import DEDICATED, SERVER_KIND_LABEL, Connection
from frappe_operator.model.domain import Domain
from frappe_operator.model.host_claims import HostClaim, HostGrants
from frappe_operator.model.image import Facts
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.removal import NO_REMOVAL, Removal, removal
from frappe_operator.model.scaling import LiveScale, live_scale
from frappe_operator.model.settings import Images
from frappe_operator.model.site import BACKGROUND, SCALED, SiteNames
from frappe_operator.model.upgrade import (
    RELEASE_LABEL,
    RETRY_ANNOTATION,
    Mark,
    Outcome,
    Progress,
    attempt,
    mark_of,
    removal_attempt,
    removal_failed,
    removes,
    running,
)
from frappe_operator.site.observe_tls import ObservedTls, observe_tls


class LastUpgrade(msgspec.Struct):
    """The upgrade of the site in its last status."""

    step: str = ""
    since: str = ""
    attempt: str = ""


class LastStatus(msgspec.Struct, rename="camel"):
    """The part of the site's last status that the next reconcile reads."""

    conditions: tuple[Condition, ...] = ()
    resolved_domain: str = ""
    installed_apps: list[str] | None = None
    upgrade: LastUpgrade | None = None
    database_name: str = ""


class ObservedUpgrade(NamedTuple):
    """What is observed of the upgrade of a site."""

    mark: Mark = Mark()
    outcome: Outcome | None = None
    """Result of the migration that `mark` records; None while there is none."""
    job_without_report: Job | None = None
    """The Job of that migration, when it has succeeded and its report is lost."""
    progress: Progress | None = None
    """The pods of the site, when it has its turn and its migration has not begun."""
    finished_jobs: frozenset[str] = frozenset()
    """Names of the Jobs of the site that have succeeded, when `progress` is observed or the migration has begun."""
    removal: Removal = NO_REMOVAL
    """The apps that are to be removed."""


NO_UPGRADE = ObservedUpgrade()


class Observed(NamedTuple):
    """The facts that a site is resolved from. With an invalid spec or without a bench, nothing else is read."""

    live: LiveSite
    last_status: LastStatus
    spec_or_none: FrappeSiteSpec | None
    """None when the spec does not conform to the schema."""
    spec_error: str = ""
    """Why the spec is invalid; empty when it is valid."""
    bench_live_or_none: LiveBench | None = None
    """None when the bench does not exist."""
    bench_or_none: BenchOffer | None = None
    """None when the spec of the bench is invalid."""
    bench_error: str = ""
    """Why the spec of the bench is invalid; empty when it is valid."""
    bench_conditions: Mapping[str, Condition] = {}
    classes: Mapping[str, StorageClass] = {}
    reports: Mapping[str, Report] = {}
    mariadb: Workload | None = None
    """The StatefulSet of the MariaDB of the bench, or of the site alone."""
    server_kind: str | None = None
    """Recorded kind of the server that the site has alone, empty for none; None before it is decided."""
    server_revision: str = ""
    """Revision of the Secret with the password of root of that server; empty while it does not exist."""
    web: Workload | None = None
    """The gunicorn Deployment of the site."""
    live_scales: Mapping[str, LiveScale] = {}
    """What exists of the components in SCALED."""
    autoscalers: Mapping[str, Autoscaler] = {}
    """The autoscalers that exist, by component."""
    retained_database: str = ""
    """Name of the site's database as the connection Secret records it, empty without one."""
    connection_secret: Live | None = None
    """The connection Secret that the operator generates."""
    admin_secret: Live | None = None
    """The Secret with the password of Administrator."""
    claim: Claim | None = None
    """The claim for the site's files."""
    prepared: Job | None = None
    """The Job that creates the site's database, or checks an external one."""
    created: Job | None = None
    """The Job that creates the site."""
    created_with_apps: bool = False
    """Whether that Job left all apps of the list installed, and the list has not changed since."""
    configuring: Sequence[Job] = ()
    """The Jobs that configure address and credentials: for the present ones, or for earlier ones."""
    connection: Connection | None = None
    connection_data: Mapping[str, str] | None = None
    """The decoded Secret of an external database, without the password; None when it does not exist."""
    facts: Facts | None = None
    """The release that the data of the site is of, and that it runs; None when it is not known."""
    upgrade: ObservedUpgrade = NO_UPGRADE
    service_ip: str = ""
    """Address of the Service of the web pods; empty while the site has none."""
    tls: ObservedTls = ObservedTls()
    time: float = 0.0
    """When the facts were observed, in seconds since 1970; 0 where time does not pass."""
    domain_or_none: Domain | None = None
    conflicting_hosts: Mapping[str, HostClaim] = {}
    """Hosts of the site that belong to another site, with the claim of that site."""

    # These values exist once the checks of `checks.PREMISES` have passed.

    @property
    def spec(self) -> FrappeSiteSpec:
        assert self.spec_or_none is not None
        return self.spec_or_none

    @property
    def bench_live(self) -> LiveBench:
        assert self.bench_live_or_none is not None
        return self.bench_live_or_none

    @property
    def bench(self) -> BenchOffer:
        assert self.bench_or_none is not None
        return self.bench_or_none

    @property
    def domain(self) -> Domain:
        assert self.domain_or_none is not None
        return self.domain_or_none

    @property
    def database(self) -> ObservedDatabase:
        """The observed state of the site's database."""
        return ObservedDatabase(
            engine=database.engine(self.spec, self.server_kind),
            site=self.live.metadata.key,
            recorded_name=self.retained_database,
            connection=self.connection,
            connection_data=self.connection_data,
            frappe=self.facts,
            server=self.mariadb,
            conditions=self.last_status.conditions,
            bench_conditions=self.bench_conditions,
            server_kind=self.server_kind,
        )


async def observe(cluster: View, live: LiveSite, images: Images, grants: HostGrants) -> Observed:
    """Reads every fact that a site is resolved from, once. A missing object or an invalid spec is a fact as well. The
    hosts of the site are noted in `grants`."""
    namespace, name = live.metadata.namespace, live.metadata.name
    last = last_status(live)
    try:
        spec = live.decode()
    except msgspec.MsgspecError as error:
        return Observed(live, last, None, spec_error=str(error))
    names, bench_name = SiteNames(name), spec.bench_ref.name
    bench_live = cluster.get(BENCH, namespace, bench_name)
    if bench_live is None:
        return Observed(live, last, spec)
    try:
        bench_spec = bench_live.decode()
    except msgspec.MsgspecError as error:
        return Observed(live, last, spec, bench_live_or_none=bench_live, bench_error=str(error))
    bench_names = bench_model.Names(bench_name)
    body = await cluster.body(CONFIG_MAP, namespace, bench_names.image)
    found = bench_model.inspected(bench_live, (body or {}).get("data") or {})
    common = cluster.get(PVC, namespace, bench_names.common)
    bench = bench_model.offer(bench_live, bench_spec, images, found, common.access_mode if common else "")
    claim, created = cluster.get(PVC, namespace, names.files), cluster.get(JOB, namespace, names.create)
    facts = _facts(bench, claim, created)
    deployments = {each: cluster.get(DEPLOYMENT, namespace, names.part(each)) for each in SCALED}
    autoscalers = {each: cluster.get(HPA, namespace, names.part(each)) for each in SCALED}
    secret = cluster.get(SECRET, namespace, names.connection)
    label = secret.metadata.label(DATABASE_LABEL) if secret else ""
    server_kind = _server_kind(secret, claim)
    dedicated = database.engine(spec, server_kind) == DEDICATED
    hosts = host_claims.HostClaims(cluster, grants)
    resolved = domain.resolve(spec, bench.domains)
    owned = [host for host in resolved.hosts if hosts.owner(host) in (None, live.metadata.key)]
    holders = {host: hosts.holder(host) for host in resolved.hosts if host not in owned}
    grants.give(live, owned)
    connection, data = await _connection(cluster, spec, namespace)
    return Observed(
        live=live,
        last_status=last,
        spec_or_none=spec,
        bench_live_or_none=bench_live,
        bench_or_none=bench,
        bench_conditions={each.type: each for each in bench_live.conditions},
        classes={each.metadata.name: each for each in cluster.all(STORAGE_CLASS)},
        reports=job_reports.reports(cluster.select(POD, job_reports.SITE_INDEX, f"{namespace}/{name}")),
        mariadb=cluster.get(STATEFUL_SET, namespace, names.server if dedicated else bench_names.mariadb),
        server_kind=server_kind,
        server_revision=generated_revision(cluster, live, names.server_root) if dedicated else "",
        web=deployments["gunicorn"],
        live_scales={each: live_scale(deployments[each], autoscalers[each]) for each in SCALED},
        autoscalers={each: found for each, found in autoscalers.items() if found is not None},
        retained_database=f"_{label}" if label else "",
        connection_secret=secret,
        admin_secret=cluster.get(SECRET, namespace, names.admin),
        claim=claim,
        prepared=cluster.get(JOB, namespace, names.database),
        created=created,
        created_with_apps=await _created_with_apps(cluster, live, spec, bench, facts, claim, created),
        configuring=cluster.select(JOB, model.CONFIGURE_INDEX, f"{namespace}/{name}"),
        connection=connection,
        connection_data=data,
        facts=facts,
        upgrade=await _upgrade(
            cluster,
            live,
            last,
            spec,
            bench,
            facts,
            mark_of(claim),
            created,
            removal(live, spec, bench_spec, last.installed_apps or ()),
        ),
        service_ip=_service_ip(cluster, live, names),
        tls=await observe_tls(cluster, live.metadata.key, spec, bench),
        domain_or_none=resolved,
        conflicting_hosts={host: claim for host, claim in holders.items() if claim},
    )


def _server_kind(secret: Live | None, claim: Claim | None) -> str | None:
    """The kind of the server that the site has alone, as the connection Secret or the claim for files records it. It is
    decided before either exists."""
    recorded = [each.metadata.label(SERVER_KIND_LABEL) for each in (secret, claim) if each is not None]
    return next(filter(None, recorded), "") if recorded else None


def generated_revision(cluster: View, live: LiveSite, name: str) -> str:
    """Revision of a Secret that the operator generated for the site, or for an earlier one of this name; empty while it
    does not exist."""
    meta = live.metadata
    found = cluster.get(SECRET, meta.namespace, name)
    if found is None or found.deleting or found.metadata.controller is not None:
        return ""
    ours = (found.metadata.label(MANAGED_BY), found.metadata.label(SITE_LABEL)) == (OPERATOR_NAME, meta.name)
    return secret_revision(found.metadata.uid, str(found.metadata.resource_version)) if ours else ""


def _facts(bench: BenchOffer, claim: Claim | None, created: Job | None) -> Facts | None:
    if bench.target is None:
        return None
    is_created = created is not None and succeeded(created)
    created_with = created.metadata.annotation(RELEASE_LABEL) if created is not None else ""
    return running(mark_of(claim), bench.target, bench.releases, created=is_created, created_with=created_with)


async def _created_with_apps(
    cluster: View,
    live: LiveSite,
    spec: FrappeSiteSpec,
    bench: BenchOffer,
    facts: Facts | None,
    claim: Claim | None,
    created: Job | None,
) -> bool:
    """Whether the Job that created the site left all apps of the list installed, and the list has not changed since.

    The claim records it together with the release of the data. Before it does, the report of the Job tells; afterwards
    that report may be of another time.
    """
    if facts is None or claim is None or created is None or not succeeded(created):
        return False
    apps = model.present_apps(spec, bench, facts)
    if mark_of(claim).release:
        return first_apps.is_recorded(claim, apps)
    reports = await job_reports.of_completed(cluster, live.metadata.namespace, created.metadata.name)
    return any(first_apps.are_all(apps, report.apps) for report, _ in reports)


async def _upgrade(
    cluster: View,
    live: LiveSite,
    last: LastStatus,
    spec: FrappeSiteSpec,
    bench: BenchOffer,
    facts: Facts | None,
    mark: Mark,
    created: Job | None,
    removal: Removal,
) -> ObservedUpgrade:
    """What is observed of the upgrade of a site. Reads pods only while one is under way."""
    meta = live.metadata
    removal = removal._replace(has_turn=meta.name in bench.removing)
    if facts is None or bench.target is None or created is None or not succeeded(created):
        return ObservedUpgrade(mark)
    if mark.upgrading:
        name = SiteNames(meta.name).upgrade(mark.attempt)
        job = cluster.get(JOB, meta.namespace, name)
        done = job is not None and succeeded(job)
        outcome = await _outcome(cluster, meta.namespace, name) if done else None
        return ObservedUpgrade(
            mark,
            outcome,
            job_without_report=job if done and outcome is None else None,
            finished_jobs=_finished_jobs(cluster, live, spec, bench, facts),
            removal=removal,
        )
    retry = meta.annotation(RETRY_ANNOTATION)
    this, known = attempt(facts.key, bench.target.key, retry), {each.reason for each in last.conditions}
    behind = facts.key != bench.target.key and mark.failed != this
    if (removal.has_turn and removes(mark, facts.key, retry, removal)) or (meta.name in bench.upgrading and behind):
        return ObservedUpgrade(
            mark,
            progress=await _progress(cluster, live),
            finished_jobs=_finished_jobs(cluster, live, spec, bench, facts),
            removal=removal,
        )
    failed = ""
    if mark.failed == this:
        failed = this if FrappeReason.MIGRATION_FAILED not in known else ""
    elif removal_failed(mark, facts.key, retry, removal):
        failed = removal_attempt(facts.key, retry, removal) if FrappeReason.REMOVAL_FAILED not in known else ""
    if failed:
        # The status that says why was not written, or is lost.
        outcome = await _outcome(cluster, meta.namespace, SiteNames(meta.name).upgrade(failed))
        return ObservedUpgrade(mark, outcome, removal=removal)
    return ObservedUpgrade(mark, removal=removal)


async def _outcome(cluster: View, namespace: str, job: str) -> Outcome | None:
    """The result in the report of a pod of the completed Job; None when no pod with a report is left."""
    for report, _ in await job_reports.of_completed(cluster, namespace, job):
        if report.outcome:
            migrated = report.outcome == "migrated"
            return Outcome(migrated, report.patch, report.cause, tuple(report.lines), tuple(report.removed))
    return None


async def _progress(cluster: View, live: LiveSite) -> Progress:
    """The pods of a site that has its turn, read from the API server because they are not watched."""
    namespace, name = live.metadata.namespace, live.metadata.name
    names = SiteNames(name)
    background = [cluster.get(DEPLOYMENT, namespace, names.part(part)) for part in BACKGROUND]
    web = [cluster.get(DEPLOYMENT, namespace, each) for each in (names.gunicorn, names.socketio)]
    pods = {
        pod["metadata"]["name"]: pod["metadata"].get("labels", {}).get(COMPONENT_LABEL, "")
        for pod in await cluster.list(POD, namespace, f"{OPERATOR_SELECTOR},{SITE_LABEL}={name}")
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    }
    return Progress(
        background_stopped=all(map(_is_at_zero, background)) and not set(pods.values()) & set(BACKGROUND),
        overdue=False,
        announced=False,
        web_stops=web[0] is None or web[0].spec.replicas == 0,
        pods=tuple(sorted(pods)),
        all_stopped=all(map(_is_at_zero, (*background, *web))),
    )


def _is_at_zero(deployment: Workload | None) -> bool:
    """Whether a Deployment is scaled to zero, and its controller knows it."""
    if deployment is None:
        return True
    observed = deployment.status.observed_generation >= deployment.metadata.generation
    return observed and deployment.spec.replicas == 0 and deployment.status.replicas == 0


def _finished_jobs(
    cluster: View, live: LiveSite, spec: FrappeSiteSpec, bench: BenchOffer, facts: Facts
) -> frozenset[str]:
    namespace, names = live.metadata.namespace, SiteNames(live.metadata.name)
    apps = names.apps(model.present_apps(spec, bench, facts))
    jobs = [cluster.get(JOB, namespace, each) for each in (names.database, names.create, apps)]
    jobs += cluster.select(JOB, model.CONFIGURE_INDEX, str(live.metadata.key))
    return frozenset(job.metadata.name for job in jobs if job is not None and succeeded(job))


def last_status(live: LiveSite) -> LastStatus:
    """The status of a site, as far as the next reconcile reads it; empty when it cannot be decoded."""
    try:
        return msgspec.json.decode(live.status_json, type=LastStatus)
    except msgspec.MsgspecError:
        return LastStatus()


def _service_ip(cluster: View, live: LiveSite, names: SiteNames) -> str:
    """The address of the Service of the web pods. One of somebody else's with its name is none."""
    found = cluster.get(SERVICE, live.metadata.namespace, names.gunicorn)
    owner = found.metadata.controller if found else None
    return found.spec.cluster_ip if found and owner and owner.uid == live.metadata.uid else ""


async def _connection(
    cluster: View, spec: FrappeSiteSpec, namespace: str
) -> tuple[Connection | None, dict[str, str] | None]:
    if spec.db_config is None or spec.db_config.connection_secret_ref is None:
        return None, None
    name = spec.db_config.connection_secret_ref.name
    secret = await cluster.body(SECRET, namespace, name, database.without_password)
    if secret is None:
        return database.connection_from(name, None, ""), None
    data = {key: base64.b64decode(value).decode(errors="replace") for key, value in secret["data"].items()}
    return database.connection_from(name, data, secret["metadata"]["resourceVersion"]), data
