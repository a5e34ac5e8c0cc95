"""The reconcile of a FrappeBench: observe, resolve, apply, report."""

from collections.abc import Callable, Iterable

import msgspec

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite
from frappe_operator.api.labels import BENCH_FINALIZER, BENCH_LABEL, COMPONENT_LABEL, SITE_LABEL
from frappe_operator.bench import templates
from frappe_operator.bench.cleanup import DELETED, FOREGROUND, cleanup
from frappe_operator.bench.observe import has_certificate, installs_apps, observe
from frappe_operator.bench.resolve import resolve
from frappe_operator.bench.stages import stages
from frappe_operator.bench.status import status
from frappe_operator.components import proxy
from frappe_operator.components.children import CHILDREN
from frappe_operator.kube.children import pruned
from frappe_operator.kube.kinds import (
    CONFIG_MAP,
    EVENT,
    POD,
    PVC,
    SECRET,
    STORAGE_CLASS,
    Kind,
)
from frappe_operator.kube.live import Live, Pod
from frappe_operator.kube.names import JOB_PODS, UNFINISHED_PODS
from frappe_operator.kube.objects import Key
from frappe_operator.kube.stage import Undecided, Verdict
from frappe_operator.model import bench as bench_model
from frappe_operator.model import host_claims, removal
from frappe_operator.model import job_reports as report_model
from frappe_operator.model.bench import Names
from frappe_operator.model.host_claims import HostClaims, HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.model.upgrade import CLAIM_INDICES, RETRY_ANNOTATION, STEPS_OF_A_TURN
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.apply.finalizers import ensure_finalizer
from frappe_operator.runtime.apply.lost_reports import rerun_lost
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import (
    Controller,
    MapFunction,
    Watch,
    generation_changes,
    owned_by,
    watch_children,
)
from frappe_operator.runtime.status.diagnose import diagnose
from frappe_operator.runtime.status.report import report

ADDRESS_SECONDS = 30.0
"""How often the address of the load balancer that names the sites is read."""
VERBS: dict[Kind, str] = {BENCH: "get patch", SITE: "list", POD: "list patch delete", EVENT: "list"}
"""RBAC verbs for objects that are not children of a bench, by kind."""

TURN_SECONDS = 30.0
"""How often it is checked whether a site has ended its turn: its status may never have shown that it had one."""
UNMARKED_SECONDS = 5.0
"""How often it is checked whether all sites have recorded the release of their data."""

SECRET_SECONDS = 30.0
"""How often it is checked whether a missing Secret of a repository exists."""

HOSTS_ANNOTATION = "vyogo.tech/hosts"
"""On proxy pods: the resource version of the host map that the kubelet was last made to read."""


def controller(images: Images, token: Callable[[], str], hosts: HostGrants) -> Controller:
    """The controller of FrappeBenches. `token` generates a password; `hosts` are those that sites have got."""

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        live = cluster.get(BENCH, key.namespace, key.name)
        if live is None:
            return None
        deletion: dict[str, Verdict] = {}
        if live.deleting:
            remaining = await cleanup(cluster, live)
            if remaining is None:
                return None
            deletion = {DELETED: remaining}
            if FOREGROUND in live.metadata.finalizers:
                await report(cluster, BENCH, live, deletion, {})
                return None
        else:
            await ensure_finalizer(cluster, BENCH, live, BENCH_FINALIZER)
        observed = await observe(cluster, live, images, hosts)
        try:
            bench = resolve(observed, images, cluster.clock())
        except Undecided:
            if deletion:
                # A bench whose spec is invalid is deleted after its sites as well.
                await report(cluster, BENCH, live, deletion, {})
                return None
            raise
        rerun = [await rerun_lost(cluster, job) for job in observed.jobs_without_report]
        had_config = cluster.get(CONFIG_MAP, key.namespace, bench.names.nginx) is not None
        decided = stages(bench, observed, token)
        of_bench = await templates.observe(cluster, bench, observed)
        background = templates.stage(bench, of_bench)
        applied = await apply(cluster, BENCH, live, [*decided, background], prune=pruned(CHILDREN))
        of_templates = applied.verdicts.pop(background.condition)
        if had_config and any(ref.kind is CONFIG_MAP and ref.name == bench.names.nginx for ref in applied.written):
            await refresh_host_map(cluster, key)
        diagnosis = await diagnose(
            cluster, live, decided, applied.verdicts, report_model.pods_of_job(cluster, key.namespace)
        )
        verdicts = {**deletion, **diagnosis.verdicts}
        reported = {**status(bench, observed, verdicts), **templates.status(bench, of_bench, of_templates)}
        await report(cluster, BENCH, live, verdicts, reported)
        if observed.address != bench_model.detected_address(live):
            # A self-triggered event is ignored, and the maps of hosts follow the status.
            cluster.requeue(BENCH, key)
        facts_changed = any(ref.kind is CONFIG_MAP and ref.name == bench.names.image for ref in applied.written)
        if facts_changed or any(ref.kind is SECRET for ref in applied.written):
            # A self-triggered event is ignored: pods that read the Secret at their start get its new revision, and the
            # first sites their turn to upgrade to the new image.
            cluster.requeue(BENCH, key)
        turn = TURN_SECONDS if bench.wave.upgrading or bench.wave.removing else None
        upgrades = UNMARKED_SECONDS if observed.unmarked else bench.wave.requeue_after or turn
        # Secrets of users are watched for no bench.
        secrets = SECRET_SECONDS if observed.missing_secrets else None
        # So are Services of others.
        address = ADDRESS_SECONDS if observed.detects_address else None
        times = (*rerun, diagnosis.requeue_after, upgrades, secrets, address)
        return min((each for each in times if each is not None), default=None)

    return Controller(
        BENCH,
        reconcile,
        [
            Watch(
                SITE,
                bench_of_site(hosts),
                event_filter=generation_changes,
                indices={**host_claims.INDICES, **removal.INDICES},
            ),
            Watch(SITE, own_bench, event_filter=upgrade_changes),
            Watch(SITE, own_bench, event_filter=has_certificate),
            Watch(BENCH, benches_with_shared_hosts(hosts), event_filter=bench_model.domain_defaults),
            Watch(STORAGE_CLASS, every_bench),
            *watch_children(
                CHILDREN, owned_by(BENCH), other_owners={SECRET: bench_of_secret}, indices={PVC: CLAIM_INDICES}
            ),
            Watch(POD, bench_of_pod, labels=JOB_PODS, fields=UNFINISHED_PODS, indices=report_model.INDICES),
        ],
        VERBS,
    )


async def refresh_host_map(cluster: Cluster, key: Key) -> None:
    """Makes the kubelets update the host map in the proxy pods within seconds, by an annotation on these pods.

    A kubelet reads a pod's ConfigMaps when the pod changes, otherwise about once a minute.
    """
    config = cluster.get(CONFIG_MAP, key.namespace, Names(key.name).nginx)
    if config is None:
        return
    labels = ",".join(f"{label}={value}" for label, value in ((BENCH_LABEL, key.name), (COMPONENT_LABEL, proxy.PART)))
    patch = {"metadata": {"annotations": {HOSTS_ANNOTATION: str(config.metadata.resource_version)}}}
    for pod in await cluster.list(POD, key.namespace, labels):
        await cluster.patch(POD, key.namespace, pod["metadata"]["name"], patch)


def bench_of_secret(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function: from a Secret to the bench it was generated for, by labels, because the Secret of MariaDB's root is
    retained and has no owner, or by owner."""
    meta = live.metadata
    if meta.label(BENCH_LABEL) and not meta.label(SITE_LABEL):
        yield Key(meta.namespace, meta.label(BENCH_LABEL))
    yield from owned_by(BENCH)(cluster, live)


def bench_of_site(hosts: HostGrants) -> MapFunction[LiveSite]:
    """Map function: from a site to its bench, and to the benches of all sites that have no host because of it."""

    def benches(cluster: Cluster, live: LiveSite) -> Iterable[Key]:
        yield from own_bench(cluster, live)
        yield from _benches(HostClaims(cluster, hosts).losers(live))

    return benches


def own_bench(cluster: Cluster, live: LiveSite) -> Iterable[Key]:
    """Map function: from a site to its bench."""
    return (Key(*value.split("/")) for value in host_claims.by_bench(live))


class _Upgrade(msgspec.Struct):
    step: str = ""
    attempt: str = ""


class _Status(msgspec.Struct, rename="camel"):
    upgrade: _Upgrade | None = None
    installed_apps: tuple[str, ...] = ()


def upgrade_changes(live: LiveSite) -> object:
    """Event filter: the beginning and end of the turn of a site, a request to try it again, and apps to remove."""
    retry, confirmed = live.metadata.annotation(RETRY_ANNOTATION), tuple(removal.named(live))
    try:
        status = msgspec.json.decode(live.status_json, type=_Status)
    except msgspec.MsgspecError:
        status = _Status()
    upgrade, removes = status.upgrade, (confirmed, status.installed_apps, installs_apps(live)) if confirmed else ()
    return (upgrade.attempt, upgrade.step in STEPS_OF_A_TURN, retry, removes) if upgrade else (retry, removes)


def benches_with_shared_hosts(hosts: HostGrants) -> MapFunction[LiveBench]:
    """Map function: from a bench with another domain configuration to the benches of all sites that claim one of the
    changed hosts."""
    return lambda cluster, live: _benches(HostClaims(cluster, hosts).losers_of(live))


def _benches(sites: Iterable[LiveSite]) -> Iterable[Key]:
    return (Key(*value.split("/")) for site in sites for value in host_claims.by_bench(site))


def every_bench(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function: from a StorageClass to all benches. StorageClasses are few and change rarely."""
    return (bench.metadata.key for bench in cluster.all(BENCH))


def bench_of_pod(cluster: Cluster, live: Pod) -> Iterable[Key]:
    """Map function: from the pod of a bench's Job to the bench, once the pod reports a result or a failure."""
    if not live.metadata.label(SITE_LABEL) and report_model.has_a_report(live):
        yield Key(live.metadata.namespace, live.metadata.label(BENCH_LABEL))
