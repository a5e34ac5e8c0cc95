"""Reads what there is around a bench."""

from typing import NamedTuple

import msgspec

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.components import image
from frappe_operator.kube.kinds import (
    CONFIG_MAP,
    JOB,
    POD,
    PVC,
    SITE,
    STATEFUL_SET,
    STORAGE_CLASS,
)
from frappe_operator.kube.live import Claim, Custom, Job, Live, Pod, PodStatus, StorageClass
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.kube.readiness import Report, succeeded
from frappe_operator.kube.view import View
from frappe_operator.model import bench as model
from frappe_operator.model import domain, report
from frappe_operator.model.bench import RWO, Bench, Facts, Upstream
from frappe_operator.model.settings import Images
from frappe_operator.model.site import SiteNames, needs_mariadb

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Seen(NamedTuple):
    """What there is around a bench."""

    live: Custom
    spec: FrappeBenchSpec
    sites: list[Live]
    classes: dict[str, StorageClass]
    reports: dict[str, Report]
    recorded: Facts | None
    """What the ConfigMap says of the image, which may be an earlier one."""
    found: Facts | None
    """What the Job for the image of the spec reported."""
    report_lost: Job | None
    """That Job, when it is done but nobody kept what it said."""
    access_mode: str
    live_mode: str
    """Access mode of the claim for the common storage, empty while there is none."""
    mariadb_exists: bool
    upstreams: tuple[Upstream, ...]


async def observe(cluster: View, live: Custom, images: Images) -> Seen:
    """Everything a bench is decided from. One read of a ConfigMap, remembered while it does not change; and once,
    when the image has been looked into, of what was found. Raises Blocked when the spec is none."""
    namespace, name = live.metadata.namespace, live.metadata.name
    spec = model.parse(live)
    names = model.Names(name)
    wanted = model.image(spec, images)
    body = await cluster.body(CONFIG_MAP, namespace, names.image)
    recorded = model.facts_from((body or {}).get("data") or {})
    job_name = image.job_name(name, wanted)
    pods = [pod for pod in cluster.select(POD, report.JOB_INDEX, f"{namespace}/{job_name}") if isinstance(pod, Pod)]
    job = cluster.get(JOB, namespace, job_name)
    done = isinstance(job, Job) and succeeded(job)
    known = recorded is not None and recorded.reference == wanted.reference
    found = None
    if done and not known:
        # It is about to be written: a view that is behind must not make us forget the image before.
        fresh = await cluster.read(CONFIG_MAP, namespace, names.image)
        recorded = model.facts_from((fresh or {}).get("data") or {})
        known = recorded is not None and recorded.reference == wanted.reference
        found = None if known else await _found(cluster, namespace, job_name, wanted.reference, recorded)
    sites = cluster.select(SITE, domain.BENCH_INDEX, f"{namespace}/{name}")
    classes = {each.metadata.name: each for each in cluster.all(STORAGE_CLASS) if isinstance(each, StorageClass)}
    claim = cluster.get(PVC, namespace, names.common)
    live_mode = claim.access_mode if isinstance(claim, Claim) else ""
    storage_class = spec.storage.storage_class_name if spec.storage else None
    return Seen(
        live=live,
        spec=spec,
        sites=sites,
        classes=classes,
        reports=report.reports(pods),
        recorded=recorded,
        found=found,
        report_lost=job if isinstance(job, Job) and done and not known and found is None else None,
        access_mode=live_mode or _access_mode(storage_class, classes),
        live_mode=live_mode,
        mariadb_exists=cluster.get(STATEFUL_SET, namespace, names.mariadb) is not None,
        upstreams=_upstreams(cluster, sites),
    )


def resolve(seen: Seen, images: Images) -> Bench:
    """The bench as decided."""
    return model.resolve(
        seen.live,
        images,
        facts=seen.found or seen.recorded,
        access_mode=seen.access_mode,
        live_mode=seen.live_mode,
        # A server that exists stays: what it holds is not ours to give up.
        mariadb_wanted=seen.mariadb_exists or any(needs_mariadb(site) for site in seen.sites),
        upstreams=seen.upstreams,
    )


async def _found(cluster: View, namespace: str, job: str, reference: str, recorded: Facts | None) -> Facts | None:
    """What the pods of a finished Job said, None when none of them is left that did."""
    for pod in await cluster.list(POD, namespace, f"{JOB_LABEL}={job}"):
        said = report.message(msgspec.convert(pod["status"], PodStatus))
        if said is not None and said.ok and said.frappe_version:
            previous = recorded.key if recorded else ""
            return Facts(reference, said.frappe_version, said.python, said.apps, previous)
    return None


def _access_mode(asked_class: str | None, classes: dict[str, StorageClass]) -> str:
    name = asked_class or next(
        (n for n, each in classes.items() if each.metadata.annotation(DEFAULT_CLASS) == "true"), ""
    )
    if name not in classes:
        return RWO
    chosen = classes[name]
    return model.access_modes(chosen.provisioner, chosen.metadata.annotation(model.ACCESS_MODES_ANNOTATION))


def _upstreams(cluster: View, sites: list[Live]) -> tuple[Upstream, ...]:
    hosts = domain.Register(cluster)
    result = []
    for site in sites:
        key, spec, wanted = site.metadata.key, domain.asked(site), hosts.domain(site)
        if spec is None or wanted is None:
            continue
        service = SiteNames(key.name).gunicorn
        result += [Upstream(host, service, spec.site_name) for host in wanted.hosts if hosts.holder(host) == key]
    return tuple(sorted(result, key=lambda each: each.host))
