"""Observes a bench: reads every fact that it is resolved from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.kinds import SITE, LiveBench, LiveSite
from frappe_operator.components import image, redis
from frappe_operator.kube.kinds import CONFIG_MAP, JOB, POD, PVC, SECRET, STATEFUL_SET, STORAGE_CLASS
from frappe_operator.kube.live import OPERATOR_NAME, Job, PodStatus, StorageClass
from frappe_operator.kube.names import INSTANCE, JOB_LABEL, MANAGED_BY
from frappe_operator.kube.readiness import Report, succeeded
from frappe_operator.kube.stage import Blocked
from frappe_operator.kube.view import View
from frappe_operator.model import bench as model
from frappe_operator.model import domain, job_reports
from frappe_operator.model.bench import NO_REVISIONS, RWO, Names, Revisions, Upstream, secret_revision
from frappe_operator.model.image import Facts, Image, image_digest
from frappe_operator.model.settings import Images
from frappe_operator.model.site import SiteNames

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Observed(NamedTuple):
    """The facts that a bench is resolved from. If the spec is invalid, nothing else is read."""

    live: LiveBench
    spec_or_none: FrappeBenchSpec | None
    """None when the spec does not conform to the schema."""
    spec_error: str = ""
    """Why the spec is invalid; empty when it is valid."""
    sites: Sequence[LiveSite] = ()
    classes: Mapping[str, StorageClass] = {}
    reports: Mapping[str, Report] = {}
    recorded: Facts | None = None
    """Facts of the image that the ConfigMap records, which may be an earlier one than the spec names."""
    found: Facts | None = None
    """Facts of the image of the spec, when it is not the recorded one."""
    used: Mapping[str, str] = {}
    """By app that any site has installed or has in its spec, the name of one such site. Empty unless `found` is
    compared with `recorded`."""
    job_without_report: Job | None = None
    """The Job that inspected the image of the spec, when it has succeeded and its report is lost."""
    access_mode: str = RWO
    live_mode: str = ""
    """Access mode of the existing claim for the common storage, empty while there is none."""
    mariadb_exists: bool = False
    upstreams: tuple[Upstream, ...] = ()
    secrets: Revisions = NO_REVISIONS
    """Revisions of the generated Secrets as they are now."""
    redis_passwords_differ: bool = False
    """Whether the Secret of Redis contains different passwords for the servers and for their clients."""
    revisions: Revisions = NO_REVISIONS
    """Revisions of the Secrets that the servers run with, from the last status."""

    @property
    def spec(self) -> FrappeBenchSpec:
        """The spec. It is valid once the checks of `checks.PREMISES` have passed."""
        assert self.spec_or_none is not None
        return self.spec_or_none

    @property
    def names(self) -> Names:
        return Names(self.live.metadata.name)


async def observe(cluster: View, live: LiveBench, images: Images) -> Observed:
    """Reads every fact that a bench is resolved from, once. A missing object or an invalid spec is a fact as well."""
    namespace, name = live.metadata.namespace, live.metadata.name
    try:
        spec = live.decode()
    except msgspec.MsgspecError as error:
        return Observed(live, None, spec_error=str(error))
    names = model.Names(name)
    body = await cluster.body(CONFIG_MAP, namespace, names.image)
    recorded, refused = model.inspected(live, (body or {}).get("data") or {})
    desired = model.image(spec, images, model.request(live, spec, images, recorded, refused))
    job_name = image.job_name(name, desired)
    pods = cluster.select(POD, job_reports.JOB_INDEX, f"{namespace}/{job_name}")
    job = cluster.get(JOB, namespace, job_name)
    done = job is not None and succeeded(job)
    inspected = any(each.describes(desired) for each in (recorded, refused) if each is not None)
    if done and not inspected:
        # The ConfigMap is about to be written: a stale cache must not lose the facts of the image before.
        fresh = await cluster.read(CONFIG_MAP, namespace, names.image)
        recorded, refused = model.inspected(live, (fresh or {}).get("data") or {})
        inspected = any(each.describes(desired) for each in (recorded, refused) if each is not None)
    found = None if recorded is not None and recorded.describes(desired) else refused
    if found is not None and not found.describes(desired):
        found = None
    if done and not inspected:
        found = await _facts_from_pods(cluster, namespace, job_name, desired, recorded)
    sites = cluster.select(SITE, domain.BENCH_INDEX, f"{namespace}/{name}")
    classes = {each.metadata.name: each for each in cluster.all(STORAGE_CLASS)}
    claim = cluster.get(PVC, namespace, names.common)
    live_mode = claim.access_mode if claim else ""
    storage_class = spec.storage.storage_class_name if spec.storage else None
    redis_secret, agree = await _redis_secret(cluster, live, names.redis)
    return Observed(
        live=live,
        spec_or_none=spec,
        sites=sites,
        classes=classes,
        reports=job_reports.reports(pods),
        recorded=recorded,
        found=found,
        used=_used(spec, sites) if found is not None and recorded is not None else {},
        job_without_report=job if done and not inspected and found is None else None,
        access_mode=live_mode or _access_mode(storage_class, classes),
        live_mode=live_mode,
        mariadb_exists=cluster.get(STATEFUL_SET, namespace, names.mariadb) is not None,
        upstreams=_upstreams(cluster, sites),
        secrets=Revisions(redis_secret if agree else "", _root_secret(cluster, live, names.mariadb_root)),
        redis_passwords_differ=not agree,
        revisions=model.revisions(live),
    )


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
    for pod in await cluster.list(POD, namespace, f"{JOB_LABEL}={job}"):
        report = job_reports.message(msgspec.convert(pod["status"], PodStatus))
        if report is not None and report.ok and report.frappe_version:
            return Facts(
                image.reference,
                report.frappe_version,
                report.python,
                report.apps,
                previous_key=recorded.key if recorded else "",
                digest=image_digest(image.reference, pod["status"]["containerStatuses"][0].get("imageID", "")),
                request=image.request,
            )
    return None


class _Site(msgspec.Struct, rename="camel"):
    """The part of a site's status that is compared with an image."""

    installed_apps: tuple[str, ...] = ()


def _used(spec: FrappeBenchSpec, sites: Sequence[LiveSite]) -> dict[str, str]:
    """By app that any site has installed or has in its spec, the name of one such site; frappe comes first."""
    used: dict[str, str] = {}
    for site in sites:
        try:
            installed = msgspec.json.decode(site.status_json, type=_Site).installed_apps
        except msgspec.MsgspecError:
            installed = ()
        try:
            of_bench = model.apps(spec)
        except Blocked:
            of_bench = ()
        site_spec = domain.readable_spec(site)
        desired = of_bench if site_spec is None or site_spec.apps is None else site_spec.apps
        for app in ("frappe", *installed, *desired):
            used.setdefault(app, site.metadata.name)
    return used


def _access_mode(class_name: str | None, classes: dict[str, StorageClass]) -> str:
    name = class_name or next(
        (n for n, each in classes.items() if each.metadata.annotation(DEFAULT_CLASS) == "true"), ""
    )
    if name not in classes:
        return RWO
    chosen = classes[name]
    return model.access_modes(chosen.provisioner, chosen.metadata.annotation(model.ACCESS_MODES_ANNOTATION))


def _upstreams(cluster: View, sites: Sequence[LiveSite]) -> tuple[Upstream, ...]:
    hosts = domain.HostClaims(cluster)
    result = []
    for site in sites:
        key, spec, hostnames = site.metadata.key, domain.readable_spec(site), hosts.domain(site)
        if spec is None or hostnames is None:
            continue
        service = SiteNames(key.name).gunicorn
        result += [Upstream(host, service, spec.site_name) for host in hostnames.hosts if hosts.holder(host) == key]
    return tuple(sorted(result, key=lambda each: each.host))
