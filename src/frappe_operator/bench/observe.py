"""Observes a bench: reads every fact that it is resolved from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.kinds import SITE, LiveBench, LiveSite, readable_spec
from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.components import image, layers, redis
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
from frappe_operator.kube.live import OPERATOR_NAME, Autoscaler, Condition, Job, StorageClass, Workload
from frappe_operator.kube.names import INSTANCE, MANAGED_BY
from frappe_operator.kube.quantities import mebibytes
from frappe_operator.kube.readiness import Report, succeeded
from frappe_operator.kube.reasons import Trait, traits
from frappe_operator.kube.stage import Blocked
from frappe_operator.kube.view import View
from frappe_operator.model import bench as model
from frappe_operator.model import domain_defaults, host_claims, job_reports, proxy, tls
from frappe_operator.model import layers as layer_model
from frappe_operator.model.bench import NO_REVISIONS, RWO, Inspected, Names, Revisions, Turns, Upstream, secret_revision
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.domain_defaults import NO_ADDRESS, DetectedAddress
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.image import Facts, Image, Use, image_digest
from frappe_operator.model.layer import Layer
from frappe_operator.model.layers import Order
from frappe_operator.model.removal import CONFIRMED_INDEX, removal
from frappe_operator.model.settings import Images
from frappe_operator.model.site import SiteNames
from frappe_operator.model.upgrade import (
    RELEASE_INDEX,
    RELEASE_LABEL,
    RETRY_ANNOTATION,
    STEPS_OF_A_TURN,
    Mark,
    attempt,
    mark_of,
    removes,
)
from frappe_operator.model.upgrade_policy import upgrade_policy
from frappe_operator.model.waves import Candidate
from frappe_operator.runtime.client.errors import Forbidden

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Observed(NamedTuple):
    """The facts that a bench is resolved from. If the spec is invalid, nothing else is read."""

    live: LiveBench
    images: Images
    """The settings of the operator for all benches."""
    spec_or_none: FrappeBenchSpec | None
    """None when the spec does not conform to the schema."""
    spec_error: str = ""
    """Why the spec is invalid; empty when it is valid."""
    sites: Sequence[LiveSite] = ()
    classes: Mapping[str, StorageClass] = {}
    reports: Mapping[str, Report] = {}
    recorded: Facts | None = None
    """Facts of the image that the ConfigMap records, which may be an earlier one than the spec names."""
    releases: Mapping[str, Facts] = {}
    """Facts of every recorded image that sites may run, by key."""
    releases_in_use: frozenset[str] = frozenset()
    """Keys of the recorded images that the data of some site was last migrated with, or is being migrated with."""
    found: Facts | None = None
    """Facts of the image of the spec with its app layers, when they are not the recorded ones and all are built."""
    uses: Sequence[Use] = ()
    """The versions of apps that sites have installed or declare. Empty unless `found` is compared with them."""
    unmarked: bool = False
    """Whether some site has not recorded its release yet, which an earlier operator did not do. Only with `found`."""
    candidates: Sequence[Candidate] = ()
    """The sites that do not run the recorded image or have apps to remove, and those whose turn has not ended."""
    turns: Turns = Turns()
    """The sites whose turn it is, from the last status."""
    canary_done: float = 0.0
    """When the last canary ended its turn, in seconds since 1970; 0 when it is not known."""
    jobs_without_report: Sequence[Job] = ()
    """The Jobs that inspected the image of the spec or built a layer, have succeeded, and whose report is lost."""
    inspected: Facts | None = None
    """Facts of the image of the spec without app layers; None until it has been inspected."""
    orders: tuple[Order, ...] = ()
    """The app layers that the apps of the spec need with that image."""
    layers: tuple[Layer, ...] = ()
    """The app layers that were built."""
    unused_layers: tuple[Layer, ...] = ()
    """Those of them that nothing needs any more."""
    missing_secrets: Mapping[str, str] = {}
    """By app whose layer is to be built, the Secret of its repository, where it does not exist."""
    access_mode: str = RWO
    live_mode: str = ""
    """Access mode of the existing claim for the common storage, empty while there is none."""
    mariadb_exists: bool = False
    upstreams: tuple[Upstream, ...] = ()
    address: DetectedAddress = NO_ADDRESS
    """Address of the load balancer that names the sites."""
    secrets: Revisions = NO_REVISIONS
    """Revisions of the generated Secrets as they are now."""
    redis_passwords_differ: bool = False
    """Whether the Secret of Redis contains different passwords for the servers and for their clients."""
    revisions: Revisions = NO_REVISIONS
    """Revisions of the Secrets that the servers run with, from the last status."""
    proxy: Workload | None = None
    """The Deployment of the proxy."""
    autoscaler: Autoscaler | None = None
    """The autoscaler of the proxy."""

    @property
    def spec(self) -> FrappeBenchSpec:
        """The spec. It is valid once the checks of `checks.PREMISES` have passed."""
        assert self.spec_or_none is not None
        return self.spec_or_none

    @property
    def names(self) -> Names:
        return Names(self.live.metadata.name)

    @property
    def detects_address(self) -> bool:
        """Whether the address of a load balancer names the sites."""
        return domain_defaults.service(self.spec.domain_config, self.live.metadata.namespace) is not None


async def observe(cluster: View, live: LiveBench, images: Images, grants: HostGrants) -> Observed:
    """Reads every fact that a bench is resolved from, once. A missing object or an invalid spec is a fact as well. The
    hosts of its sites are noted in `grants`."""
    namespace, name = live.metadata.namespace, live.metadata.name
    try:
        spec = live.decode()
    except msgspec.MsgspecError as error:
        return Observed(live, images, None, spec_error=str(error))
    names = model.Names(name)
    body = await cluster.body(CONFIG_MAP, namespace, names.image)
    known = model.inspected(live, (body or {}).get("data") or {})
    desired = model.image(spec, images, model.request(live, spec, images, known.facts, known.refused, known.pending))
    job_name = image.job_name(name, desired)
    pods = cluster.select(POD, job_reports.JOB_INDEX, f"{namespace}/{job_name}")
    job = cluster.get(JOB, namespace, job_name)
    inspected = known.image(desired)
    lost = None
    if job is not None and succeeded(job) and inspected is None:
        # The ConfigMap is about to be written: a stale cache must not lose the facts of the image before.
        fresh = await cluster.read(CONFIG_MAP, namespace, names.image)
        known = model.inspected(live, (fresh or {}).get("data") or {})
        inspected = known.image(desired)
        if inspected is None:
            inspected = await _facts_from_pods(cluster, namespace, job_name, desired, known.facts)
            lost = job if inspected is None else None
    recorded = known.facts
    app_layers = await _layers(cluster, live, spec, images, inspected, known)
    found = app_layers.release
    if found is not None and recorded is not None and found.key == recorded.key:
        found = None
    sites = cluster.select(SITE, host_claims.BENCH_INDEX, f"{namespace}/{name}")
    classes = {each.metadata.name: each for each in cluster.all(STORAGE_CLASS)}
    claim = cluster.get(PVC, namespace, names.common)
    live_mode = claim.access_mode if claim else ""
    storage_class = spec.storage.storage_class_name if spec.storage else None
    redis_secret, agree = await _redis_secret(cluster, live, names.redis)
    return Observed(
        live=live,
        images=images,
        spec_or_none=spec,
        sites=sites,
        classes=classes,
        reports={**job_reports.reports(pods), **app_layers.reports},
        recorded=recorded,
        releases=known.releases,
        releases_in_use=_releases_in_use(cluster, live, known.releases),
        found=found,
        uses=_uses(cluster, spec, sites, known) if found is not None and recorded is not None else (),
        unmarked=found is not None and any(_is_unmarked(cluster, site) for site in sites),
        **_upgrades(cluster, live, spec, known)._asdict(),
        jobs_without_report=[*([lost] if lost else []), *app_layers.lost],
        inspected=inspected,
        orders=app_layers.orders,
        layers=app_layers.built,
        unused_layers=app_layers.unused,
        missing_secrets={
            order.app: order.secret
            for order in layer_model.missing(app_layers.orders, app_layers.built)
            if order.secret and cluster.get(SECRET, namespace, order.secret) is None
        },
        access_mode=live_mode or _access_mode(storage_class, classes),
        live_mode=live_mode,
        mariadb_exists=cluster.get(STATEFUL_SET, namespace, names.mariadb) is not None,
        upstreams=_upstreams(cluster, spec, sites, grants),
        address=await detected_address(cluster, live, spec),
        secrets=Revisions(redis_secret if agree else "", _root_secret(cluster, live, names.mariadb_root)),
        redis_passwords_differ=not agree,
        revisions=model.revisions(live),
        proxy=cluster.get(DEPLOYMENT, namespace, names.nginx),
        autoscaler=cluster.get(HPA, namespace, names.nginx),
    )


async def detected_address(cluster: View, live: LiveBench, spec: FrappeBenchSpec) -> DetectedAddress:
    """The address of the load balancer that names the sites. The Service is not the operator's, so it is not cached.
    One that may not be read, because the operator is confined to other namespaces, is one without an address."""
    key = domain_defaults.service(spec.domain_config, live.metadata.namespace)
    if key is None:
        return NO_ADDRESS
    try:
        found = await cluster.read(SERVICE, key.namespace, key.name)
    except Forbidden:
        found = None
    return domain_defaults.detected(found, key, model.detected_address(live))


class _Layers(NamedTuple):
    """What is known of the app layers of a bench."""

    orders: tuple[Order, ...] = ()
    built: tuple[Layer, ...] = ()
    unused: tuple[Layer, ...] = ()
    reports: Mapping[str, Report] = {}
    lost: Sequence[Job] = ()
    """Jobs that have built a layer, and whose report is lost."""
    release: Facts | None = None
    """The image of the spec with its layers; None until it has been inspected and all are built."""


async def _layers(
    cluster: View,
    live: LiveBench,
    spec: FrappeBenchSpec,
    images: Images,
    facts: Facts | None,
    known: Inspected,
) -> _Layers:
    """The app layers of a bench. `facts`: the image of the spec, without layers; None until it has been inspected."""
    meta, name = live.metadata, Names(live.metadata.name).apps
    body = await cluster.body(CONFIG_MAP, meta.namespace, name)
    built = layer_model.layers_from((body or {}).get("data") or {})
    if facts is None:
        return _Layers(built=built)

    try:
        model.apps(spec)
        readable = True
    except Blocked:
        readable = False

    def ordered() -> tuple[Order, ...]:
        annotation = meta.annotation(layer_model.BUILD_ANNOTATION)
        return layer_model.orders(spec, facts, images, annotation, built) if readable else ()

    def unrecorded() -> dict[str, Order]:
        known = {layer.key for layer in built}
        return {layers.job_name(meta.name, each.key): each for each in ordered() if each.key not in known}

    def finished() -> list[Job]:
        jobs = (cluster.get(JOB, meta.namespace, job) for job in unrecorded())
        return [job for job in jobs if job is not None and succeeded(job)]

    if finished():
        # The ConfigMap is about to be written: a stale cache must not lose other layers.
        fresh = await cluster.read(CONFIG_MAP, meta.namespace, name)
        built = layer_model.layers_from((fresh or {}).get("data") or {})
    found, lost = [], []
    pending = unrecorded()
    for job in finished():
        order = pending[job.metadata.name]
        layer = await _layer_from_pods(cluster, meta.namespace, job.metadata.name, order)
        if layer is None:
            lost.append(job)
        else:
            found.append(layer)
    built = layer_model.recorded(built, found)
    orders = ordered()
    releases = (*known.releases.values(), *([known.refused] if known.refused else []))
    kept = layer_model.kept(built, orders, [layer for each in releases for layer in each.layers])
    removed = cluster.get(JOB, meta.namespace, layers.removal_name(meta.name, kept))
    if removed is not None and succeeded(removed):
        built = kept
    pods = [
        pod
        for order in orders
        for pod in cluster.select(
            POD, job_reports.JOB_INDEX, f"{meta.namespace}/{layers.job_name(meta.name, order.key)}"
        )
    ]
    unused = tuple(layer for layer in built if layer not in kept)
    release = layer_model.release(facts, orders, built) if readable else None
    return _Layers(orders, built, unused, job_reports.reports(pods), lost, release)


async def _layer_from_pods(cluster: View, namespace: str, job: str, order: Order) -> Layer | None:
    """The layer in the report of a pod of the completed Job; None when no pod with a report is left."""
    for report, _ in await job_reports.of_completed(cluster, namespace, job):
        if report.layer is not None and report.layer.key == order.key:
            return msgspec.structs.replace(report.layer, image_key=order.image_key, request=order.request)
    return None


async def _redis_secret(cluster: View, bench: LiveBench, name: str) -> tuple[str, bool]:
    """Revision of the Secret of Redis, empty while the operator has not generated one, and whether its two passwords
    are equal."""
    namespace, found = bench.metadata.namespace, cluster.get(SECRET, bench.metadata.namespace, name)
    if found is None or found.deleting:
        return "", True
    owner = found.metadata.controller
    body = await cluster.body(SECRET, namespace, name, redis.agreement)
    if body is None or owner is None or owner.uid != bench.metadata.uid:
        return "", True
    meta = body["metadata"]
    return secret_revision(meta["uid"], meta["resourceVersion"]), body["agree"]


def _root_secret(cluster: View, bench: LiveBench, name: str) -> str:
    """Revision of the Secret with the password of MariaDB's root, empty while the operator has not generated one."""
    found = cluster.get(SECRET, bench.metadata.namespace, name)
    if found is None or found.deleting or found.metadata.controller is not None:
        return ""
    meta = found.metadata
    ours = (meta.label(MANAGED_BY), meta.label(INSTANCE)) == (OPERATOR_NAME, bench.metadata.name)
    return secret_revision(meta.uid, str(meta.resource_version)) if ours else ""


async def _facts_from_pods(
    cluster: View, namespace: str, job: str, image: Image, recorded: Facts | None
) -> Facts | None:
    """Facts of an image from the report of a pod of the completed Job; None when no pod with a report is left."""
    for report, pod in await job_reports.of_completed(cluster, namespace, job):
        if report.frappe_version:
            return Facts(
                image.reference,
                report.frappe_version,
                report.python,
                report.apps,
                previous_key=recorded.image_key if recorded else "",
                digest=image_digest(image.reference, pod["status"]["containerStatuses"][0].get("imageID", "")),
                request=image.request,
                assets_size=mebibytes(report.assets) if report.assets else "",
            )
    return None


class _SiteUpgrade(msgspec.Struct):
    step: str = ""


class _Site(msgspec.Struct, rename="camel"):
    """The part of a site's status that its bench reads."""

    installed_apps: tuple[str, ...] = ()
    upgrade: _SiteUpgrade | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, name: str) -> Condition:
        """The condition of this type; one without a time when there is none."""
        return next((each for each in self.conditions if each.type == name), Condition(name))


def _site(site: LiveSite) -> _Site:
    try:
        return msgspec.json.decode(site.status_json, type=_Site)
    except msgspec.MsgspecError:
        return _Site()


def installs_apps(site: LiveSite) -> bool:
    """Whether apps are being installed on a site, by its status, or its list of apps may have changed since: a removal
    does not interrupt that."""
    condition = _site(site).condition(SiteCondition.APPS_INSTALLED)
    under_way = condition.status != "True" and Trait.UNDER_WAY in traits(condition.reason)
    return under_way or condition.observed_generation != site.metadata.generation


def _mark(cluster: View, site: LiveSite) -> Mark:
    meta = site.metadata
    return mark_of(cluster.get(PVC, meta.namespace, SiteNames(meta.name).files))


def _is_unmarked(cluster: View, site: LiveSite) -> bool:
    meta = site.metadata
    created = cluster.get(JOB, meta.namespace, SiteNames(meta.name).create)
    if created is None or not succeeded(created) or created.metadata.annotation(RELEASE_LABEL):
        return False
    return not _mark(cluster, site).release


def _uses(cluster: View, spec: FrappeBenchSpec, sites: Sequence[LiveSite], known: Inspected) -> list[Use]:
    """One site for each version of an app that any site has installed or has in its spec; Frappe comes first."""
    try:
        of_bench = model.apps(spec)
    except Blocked:
        of_bench = ()
    found: dict[tuple[str, str], Use] = {}
    for site in sites:
        facts = known.releases.get(_mark(cluster, site).release, known.facts)
        versions = facts.versions if facts else {}
        site_spec = readable_spec(site)
        desired = of_bench if site_spec is None or site_spec.apps is None else site_spec.apps
        for app in ("frappe", *_site(site).installed_apps, *desired):
            use = Use(app, versions.get(app, ""), site.metadata.name)
            found.setdefault((use.app, use.version), use)
    return sorted(found.values(), key=lambda use: use.app != "frappe")


def _releases_in_use(cluster: View, bench: LiveBench, releases: Mapping[str, Facts]) -> frozenset[str]:
    """Keys of the images that some data was last migrated with, also data that was retained from a deleted site."""
    return frozenset(key for key in releases if cluster.select(PVC, RELEASE_INDEX, _release(bench, key)))


def _release(bench: LiveBench, key: str) -> str:
    return f"{bench.metadata.namespace}/{bench.metadata.name}/{key}"


class _Upgrades(NamedTuple):
    candidates: Sequence[Candidate] = ()
    turns: Turns = Turns()
    canary_done: float = 0.0


def _upgrades(cluster: View, bench: LiveBench, spec: FrappeBenchSpec, known: Inspected) -> _Upgrades:
    """The sites on their way to the recorded image, or with apps to remove. Reads only those: otherwise, nothing."""
    namespace, target, turns = bench.metadata.namespace, known.facts, model.turns(bench)
    if target is None:
        return _Upgrades()
    earlier = (cluster.select(PVC, RELEASE_INDEX, _release(bench, key)) for key in known.earlier if key != target.key)
    names = {claim.metadata.label(SITE_LABEL) for claims in earlier for claim in claims}
    confirmed = cluster.select(SITE, CONFIRMED_INDEX, f"{namespace}/{bench.metadata.name}")
    names |= {*turns.upgrading, *turns.removing, *(site.metadata.name for site in confirmed)}
    found = [
        candidate
        for name in sorted(names)
        if (site := cluster.get(SITE, namespace, name))
        and (candidate := _candidate(cluster, site, target, spec, turns))
    ]
    if not found:
        return _Upgrades(turns=turns)
    canary = upgrade_policy(spec.upgrade).canary
    canaries = [_site(live) for name in canary if (live := cluster.get(SITE, namespace, name))]
    ended = [each.condition(SiteCondition.UPGRADED).last_transition_time for each in canaries]
    times = [datetime.fromisoformat(each).timestamp() for each in ended if each]
    return _Upgrades(found, turns, max(times, default=0.0))


def _candidate(cluster: View, site: LiveSite, target: Facts, bench: FrappeBenchSpec, turns: Turns) -> Candidate | None:
    """The site as a candidate; None for one that is being deleted or was never created."""
    meta, mark = site.metadata, _mark(cluster, site)
    created = cluster.get(JOB, meta.namespace, SiteNames(meta.name).create)
    if site.deleting or created is None or not succeeded(created):
        return None
    status = _site(site)
    in_turn = status.upgrade is not None and status.upgrade.step in STEPS_OF_A_TURN
    upgraded = mark.release == target.key
    retry = meta.annotation(RETRY_ANNOTATION)
    failed = mark.failed == attempt(mark.release, target.key, retry)
    spec = readable_spec(site)
    asked = (
        spec is not None
        and removes(mark, mark.release, retry, removal(site, spec, bench, status.installed_apps))
        and not installs_apps(site)
    )
    wanted = spec.release if spec else None
    return Candidate(
        meta.name,
        meta.creation_timestamp,
        upgraded=upgraded,
        failed=failed,
        turn_ended=(upgraded or failed) and not in_turn,
        allowed=target.is_called(wanted) if wanted else not upgrade_policy(bench.upgrade).manual,
        removes=asked or (meta.name in turns.removing and (in_turn or bool(mark.upgrading))),
    )


def _access_mode(class_name: str | None, classes: dict[str, StorageClass]) -> str:
    name = class_name or next(
        (n for n, each in classes.items() if each.metadata.annotation(DEFAULT_CLASS) == "true"), ""
    )
    if name not in classes:
        return RWO
    chosen = classes[name]
    return model.access_modes(chosen.provisioner, chosen.metadata.annotation(model.ACCESS_MODES_ANNOTATION))


def has_certificate(site: LiveSite) -> bool:
    """Whether the certificate of a site is ready, so that its visitors are redirected to https."""
    found = (each for each in site.conditions if each.type == SiteCondition.CERTIFICATE_READY)
    return any(each.status == "True" for each in found)


def _upstreams(
    cluster: View, bench: FrappeBenchSpec, sites: Sequence[LiveSite], grants: HostGrants
) -> tuple[Upstream, ...]:
    hosts = host_claims.HostClaims(cluster, grants)
    result = []
    for site in sites:
        key, spec, hostnames = site.metadata.key, readable_spec(site), hosts.domain(site)
        if spec is None or hostnames is None:
            continue
        owned = [host for host in hostnames.hosts if hosts.owner(host) == key]
        grants.give(site, owned)
        declared = tls.of_site(bench.tls, spec.tls, key.name)
        # Nobody is sent to a host whose certificate is not there yet.
        https = declared is not None and has_certificate(site)
        limits = proxy.limits(spec.proxy, bench.proxy)
        result += [
            Upstream(
                host,
                SiteNames(key.name).gunicorn,
                spec.site_name,
                redirect=hostnames.host if host in hostnames.redirects else "",
                https=https,
                hsts_max_age=declared.hsts_max_age if declared and https else None,
                limits=limits,
            )
            for host in owned
        ]
    return tuple(sorted(result, key=lambda each: each.host))
