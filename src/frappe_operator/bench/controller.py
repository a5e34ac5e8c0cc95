"""The reconcile of a FrappeBench: observe, resolve, apply, report."""

from collections.abc import Callable, Iterable
from datetime import datetime

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite
from frappe_operator.api.labels import BENCH_FINALIZER, BENCH_LABEL, COMPONENT_LABEL, SITE_LABEL
from frappe_operator.bench.cleanup import DELETED, FOREGROUND, cleanup
from frappe_operator.bench.observe import observe
from frappe_operator.bench.resolve import resolve
from frappe_operator.bench.stages import stages
from frappe_operator.bench.status import status
from frappe_operator.components import proxy
from frappe_operator.components.children import CHILDREN
from frappe_operator.kube.children import pruned
from frappe_operator.kube.kinds import (
    CONFIG_MAP,
    EVENT,
    JOB,
    POD,
    SECRET,
    STORAGE_CLASS,
    Kind,
)
from frappe_operator.kube.live import Job, Live, Pod
from frappe_operator.kube.names import AT_WORK, JOB_PODS
from frappe_operator.kube.objects import Key
from frappe_operator.kube.stage import Undecided, Verdict
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain
from frappe_operator.model import job_reports as report_model
from frappe_operator.model.bench import Names
from frappe_operator.model.settings import Images
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.apply.finalizers import ensure_finalizer
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, generation_changes, owned_by, watch_children
from frappe_operator.runtime.status.diagnose import diagnose
from frappe_operator.runtime.status.report import report

VERBS: dict[Kind, str] = {BENCH: "get patch", SITE: "list", POD: "list patch delete", EVENT: "list"}
"""What a bench's reconcile does with objects that are no children of it."""

LOST_SECONDS = 30.0
"""How long after its end a Job's report is waited for."""

HOSTS_ANNOTATION = "vyogo.tech/hosts"


def controller(images: Images, token: Callable[[], str]) -> Controller:
    """The controller of FrappeBenches. `token` makes a new password."""

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        live = cluster.get(BENCH, key.namespace, key.name)
        if live is None:
            return None
        staying: dict[str, Verdict] = {}
        if live.deleting:
            waits = await cleanup(cluster, live)
            if waits is None:
                return None
            staying = {DELETED: waits}
            if FOREGROUND in live.metadata.finalizers:
                await report(cluster, BENCH, live, staying, {})
                return None
        else:
            await ensure_finalizer(cluster, BENCH, live, BENCH_FINALIZER)
        observed = await observe(cluster, live, images)
        try:
            bench = resolve(observed, images)
        except Undecided:
            if staying:
                # A bench whose spec cannot be read waits for its sites as well.
                await report(cluster, BENCH, live, staying, {})
                return None
            raise
        again = await inspect_again(cluster, observed.job_without_report) if observed.job_without_report else None
        served = cluster.get(CONFIG_MAP, key.namespace, bench.names.nginx) is not None
        steps = stages(bench, observed, token)
        done = await apply(cluster, BENCH, live, steps, prune=pruned(CHILDREN))
        if served and any(ref.kind is CONFIG_MAP and ref.name == bench.names.nginx for ref in done.written):
            await nudge_proxies(cluster, key)
        diagnosis = await diagnose(
            cluster, live, steps, done.verdicts, report_model.pods_of_job(cluster, key.namespace)
        )
        verdicts = {**staying, **diagnosis.verdicts}
        await report(cluster, BENCH, live, verdicts, status(bench, observed, verdicts))
        if any(ref.kind is SECRET for ref in done.written):
            # Our own word is no news to us, and what reads the Secret at its start has yet to be told.
            cluster.requeue(BENCH, key)
        return min((each for each in (again, diagnosis.requeue_after) if each is not None), default=None)

    return Controller(
        BENCH,
        reconcile,
        [
            Watch(SITE, bench_of_site, event_filter=generation_changes, indices=domain.INDICES),
            Watch(BENCH, sharing_suffix, event_filter=bench_model.suffix),
            Watch(STORAGE_CLASS, every_bench),
            *watch_children(CHILDREN, owned_by(BENCH), other_owners={SECRET: bench_of_secret}),
            Watch(POD, bench_of_pod, labels=JOB_PODS, fields=AT_WORK, indices=report_model.INDICES),
        ],
        VERBS,
    )


async def inspect_again(cluster: Cluster, job: Job) -> float | None:
    """Has the image looked into again when the Job's pod went before anyone read what it said.

    Not at once: an image that never says anything must not be asked without a pause. Returns the seconds to wait.
    """
    meta = job.metadata
    wait = datetime.fromisoformat(job.completed).timestamp() + LOST_SECONDS - cluster.clock()
    if wait > 0:
        return wait
    await cluster.delete(JOB, meta.namespace, meta.name, meta.uid)
    return None


async def nudge_proxies(cluster: Cluster, key: Key) -> None:
    """Has the kubelets bring the new host map to the proxies within seconds.

    A kubelet looks at a pod's ConfigMaps again when the pod changes, otherwise once a minute or so: without this
    the map would arrive as well, later.
    """
    config = cluster.get(CONFIG_MAP, key.namespace, Names(key.name).nginx)
    if config is None:
        return
    labels = ",".join(f"{label}={value}" for label, value in ((BENCH_LABEL, key.name), (COMPONENT_LABEL, proxy.PART)))
    patch = {"metadata": {"annotations": {HOSTS_ANNOTATION: str(config.metadata.resource_version)}}}
    for pod in await cluster.list(POD, key.namespace, labels):
        await cluster.patch(POD, key.namespace, pod["metadata"]["name"], patch)


def bench_of_secret(cluster: Cluster, live: Live) -> Iterable[Key]:
    """The bench it was generated for. That of MariaDB's root outlives the bench, and so has no owner."""
    meta = live.metadata
    if meta.label(BENCH_LABEL) and not meta.label(SITE_LABEL):
        yield Key(meta.namespace, meta.label(BENCH_LABEL))
    yield from owned_by(BENCH)(cluster, live)


def bench_of_site(cluster: Cluster, live: LiveSite) -> Iterable[Key]:
    """A site is its bench's business: its host, and that it exists. So are the hosts it wants and another has."""
    spec = domain.readable_spec(live)
    if spec is None:
        return
    yield Key(live.metadata.namespace, spec.bench_ref.name)
    yield from _benches(domain.Register(cluster).rivals(live))


def sharing_suffix(cluster: Cluster, live: LiveBench) -> Iterable[Key]:
    """The benches of the sites that want a host which another suffix makes free, or takes."""
    return _benches(domain.Register(cluster).rivals_of(live))


def _benches(sites: Iterable[LiveSite]) -> Iterable[Key]:
    return (Key(*value.split("/")) for site in sites for value in domain.by_bench(site))


def every_bench(cluster: Cluster, live: Live) -> Iterable[Key]:
    """StorageClasses are few and change rarely."""
    return (bench.metadata.key for bench in cluster.all(BENCH))


def bench_of_pod(cluster: Cluster, live: Pod) -> Iterable[Key]:
    """A Job's pod belongs to a bench when it belongs to no site; it is heard when it has something to say."""
    if not live.metadata.label(SITE_LABEL) and report_model.has_a_report(live):
        yield Key(live.metadata.namespace, live.metadata.label(BENCH_LABEL))
