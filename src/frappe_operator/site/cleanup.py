"""Deletion of a FrappeSite: its pods first, then a server that it has alone, its data only with `deletionPolicy:
Delete`."""

from typing import Literal

import msgspec
from msgspec import Struct

from frappe_operator.api.kinds import BENCH, SITE, LiveSite
from frappe_operator.api.labels import SITE_FINALIZER, SITE_LABEL
from frappe_operator.components import database, redis_keys
from frappe_operator.components.children import CHILDREN
from frappe_operator.components.database.interface import DATABASE_LABEL, Remains, drop_name
from frappe_operator.components.mariadb import SERVER_LABEL
from frappe_operator.components.redis_keys import Keys
from frappe_operator.components.storage import QUEUES_LABEL
from frappe_operator.kube.children import stopped_on_deletion
from frappe_operator.kube.kinds import CONFIG_MAP, POD, PVC, SECRET, STATEFUL_SET, Kind
from frappe_operator.kube.live import OPERATOR_NAME, Job
from frappe_operator.kube.names import JOB_LABEL, MANAGED_BY, OPERATOR_SELECTOR
from frappe_operator.kube.objects import Key
from frappe_operator.kube.readiness import jobs_succeeded, succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Stage, Verdict
from frappe_operator.model import bench as bench_model
from frappe_operator.model import job_reports as report_model
from frappe_operator.model.bench import Names
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.database import SERVER_KIND_LABEL, is_our_database
from frappe_operator.model.image import Image
from frappe_operator.model.owner import Owner
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import SiteNames, bench_id, job_resources
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.apply.finalizers import remove_finalizer
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.status.diagnose import diagnose
from frappe_operator.runtime.status.report import report

REQUEUE_SECONDS = 2.0
"""The site's pods are not watched: how often it is checked whether they have ended."""
DELETED = SiteCondition.DELETED


class BenchName(Struct, frozen=True):
    """benchRef of a spec, as far as a deletion needs it."""

    name: str = ""


class DeletionSpec(Struct, rename="camel"):
    """The fields of a spec that a deletion needs. All other fields may be invalid."""

    bench_ref: BenchName = BenchName()
    site_name: str = ""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"


async def cleanup(cluster: Cluster, live: LiveSite) -> float | None:
    """Deletes the site's children, its data if the policy says so, and then its finalizer. Returns the seconds after
    which to requeue, None when an event triggers the next reconcile.

    Works with an invalid spec, without a bench and without reachable servers: Retain needs none of them, and Delete
    waits only for MariaDB and Redis servers that still exist.
    """
    key, names = live.metadata.key, SiteNames(live.metadata.name)
    await _stop(cluster, live)
    if pods := await _pods(cluster, key):
        message = f"Waiting for {', '.join(pods[:3])} to terminate; a worker finishes its current job"
        await _report(cluster, live, Verdict(False, Reason.DELETING, message))
        return REQUEUE_SECONDS
    spec = _deletion_spec(live)
    deletes = spec.deletion_policy == "Delete"
    if deletes:
        verdict, requeue_after = await _drop(cluster, live, spec)
        if not verdict.ok:
            await _report(cluster, live, verdict)
            return requeue_after
    if pods := await _stop_server(cluster, live):
        await _report(cluster, live, Verdict(False, Reason.DELETING, f"Waiting for {', '.join(pods)} to terminate"))
        return REQUEUE_SECONDS
    if deletes:
        for kind, name in _retained(names):
            await _delete_retained(cluster, kind, key, name)
    await remove_finalizer(cluster, SITE, live, SITE_FINALIZER)
    return None


def _deletion_spec(live: LiveSite) -> DeletionSpec:
    try:
        return msgspec.json.decode(live.spec, type=DeletionSpec)
    except msgspec.MsgspecError:
        return DeletionSpec()


def _retained(names: SiteNames) -> tuple[tuple[Kind, str], ...]:
    """The retained children of a site, which contain its data or give access to it."""
    return (
        (PVC, names.files),
        (PVC, names.server_claim),
        (SECRET, names.connection),
        (SECRET, names.server_root),
        (SECRET, names.admin),
    )


async def _stop_server(cluster: Cluster, live: LiveSite) -> list[str]:
    """Deletes the StatefulSet of a MariaDB that the site has alone, and returns the names of its pods that still run,
    read from the API server because they are not watched."""
    meta, server = live.metadata, SiteNames(live.metadata.name).server
    for kind, child in cluster.owned(meta.uid):
        if kind == STATEFUL_SET and not child.deleting:
            await cluster.delete(kind, meta.namespace, child.metadata.name, child.metadata.uid)
    # Without a claim the site never had such a server.
    if cluster.get(PVC, meta.namespace, SiteNames(meta.name).server_claim) is None:
        return []
    pods = await cluster.list(POD, meta.namespace, f"{OPERATOR_SELECTOR},{SERVER_LABEL}={server}")
    running = [each for each in pods if each.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
    for pod in running:
        # A StatefulSet that was being recreated has left its pod to the next one, which does not come any more.
        if not pod["metadata"].get("ownerReferences") and "deletionTimestamp" not in pod["metadata"]:
            await cluster.delete(POD, meta.namespace, pod["metadata"]["name"], pod["metadata"]["uid"])
    return [pod["metadata"]["name"] for pod in running]


def _deletion_jobs(site: str) -> tuple[str, ...]:
    """Names of the Jobs that take part in a deletion."""
    return redis_keys.drop_name(site), drop_name(site)


async def _stop(cluster: Cluster, live: LiveSite) -> None:
    """Deletes workloads, routes and unfinished Jobs, except for the Jobs that take part in the deletion."""
    stopped, excepted = stopped_on_deletion(CHILDREN), _deletion_jobs(live.metadata.name)
    for kind, child in cluster.owned(live.metadata.uid):
        name, uid = child.metadata.name, child.metadata.uid
        unfinished = isinstance(child, Job) and not succeeded(child) and name not in excepted
        if (kind in stopped or unfinished) and not child.deleting:
            await cluster.delete(kind, child.metadata.namespace, name, uid)


async def _pods(cluster: Cluster, key: Key) -> list[str]:
    """Names of the site's pods that may still write, read from the API server because they are not watched."""
    excepted = _deletion_jobs(key.name)
    return [
        pod["metadata"]["name"]
        for pod in await cluster.list(POD, key.namespace, f"{OPERATOR_SELECTOR},{SITE_LABEL}={key.name}")
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and pod["metadata"].get("labels", {}).get(JOB_LABEL) not in excepted
    ]


async def _drop(cluster: Cluster, live: LiveSite, spec: DeletionSpec) -> tuple[Verdict, float | None]:
    """Deletes the site's Redis keys and its database from those servers of the bench that still exist. Returns the
    verdict, and the seconds after which to requeue."""
    key, names, bench = live.metadata.key, SiteNames(live.metadata.name), Names(spec.bench_ref.name)
    done = Verdict(True, Reason.SUCCEEDED, "Database and Redis keys of the site are deleted.")
    bench_live = cluster.get(BENCH, key.namespace, bench.bench)
    body = await cluster.body(CONFIG_MAP, key.namespace, bench.image)
    if bench_live is None:
        return done, None
    facts = bench_model.inspected(bench_live, (body or {}).get("data") or {}).facts
    if facts is None:
        return done, None
    owner = Owner.of(SITE, live, bench.bench)
    image = Image(facts.pinned, pull_secrets=bench_model.pull_secrets(bench_live))
    sizes = job_resources(live, bench_live)
    labels = await _labels(cluster, SECRET, key, names.connection) or {}
    label = labels.get(DATABASE_LABEL, "")
    ours = is_our_database(f"_{label}", key.namespace, key.name)
    queue, cache, mariadb = [
        await cluster.read(STATEFUL_SET, key.namespace, name) is not None
        for name in (bench.redis_queue, bench.redis_cache, bench.mariadb)
    ]
    jobs = []
    claim = await _labels(cluster, PVC, key, names.files)
    recorded = None if claim is None else claim.get(QUEUES_LABEL, "")
    # Without the claim nothing is left to delete: it is deleted after the keys, and no other site ever gets its queues.
    if recorded is not None and (queue or cache):
        prefixes = [bench_id(key.name, live.metadata.uid, recorded)]
        recorded_name = live.status_fields.get("databaseName")
        name = f"_{label}" if ours else recorded_name if isinstance(recorded_name, str) else ""
        keys = Keys(spec.site_name, tuple(prefixes), name)
        jobs.append(redis_keys.drop(owner, image, bench, sizes, keys, queue=queue, cache=cache))
    remains = Remains(
        owner,
        image,
        bench,
        sizes,
        names.connection,
        f"_{label}" if label else "",
        server_exists=mariadb,
        server_kind=labels.get(SERVER_KIND_LABEL, ""),
    )
    jobs += database.drop(remains)
    if not jobs:
        return done, None
    pods = cluster.select(POD, report_model.SITE_INDEX, f"{key.namespace}/{key.name}")
    stage = Stage(DELETED, [], jobs_succeeded(report_model.reports(pods)), once=jobs)
    applied = await apply(cluster, SITE, live, [stage], prune=())
    pods_of_job = report_model.pods_of_job(cluster, key.namespace)
    diagnosis = await diagnose(cluster, live, [stage], applied.verdicts, pods_of_job)
    return _unless_redis_is_down(cluster, key.namespace, bench, diagnosis.verdicts[DELETED]), diagnosis.requeue_after


def _unless_redis_is_down(cluster: Cluster, namespace: str, bench: Names, verdict: Verdict) -> Verdict:
    """The verdict; or RedisUnavailable with the name of a Redis server that is not ready, if that may explain it."""
    if verdict.ok or verdict.blocked:
        return verdict
    for name in (bench.redis_queue, bench.redis_cache):
        server = cluster.get(STATEFUL_SET, namespace, name)
        if server is not None and not server.status.ready_replicas:
            message = (
                f"Redis {name} of FrappeBench {bench.bench} is not available: the jobs and cached values of the site "
                f"are deleted as soon as it is; see pod {name}-0"
            )
            return Verdict(False, FrappeReason.REDIS_UNAVAILABLE, message)
    return verdict


async def _labels(cluster: Cluster, kind: Kind, key: Key, name: str) -> dict[str, str] | None:
    """The labels of an object, read from the API server; None when there is no such object."""
    found = await cluster.read(kind, key.namespace, name)
    return None if found is None else found["metadata"].get("labels") or {}


async def _delete_retained(cluster: Cluster, kind: Kind, key: Key, name: str) -> None:
    """Deletes a retained object of the site, after reading from the API server that the site owns it by its labels."""
    found = await cluster.read(kind, key.namespace, name)
    if found is None or "deletionTimestamp" in found["metadata"]:
        return
    labels = found["metadata"].get("labels") or {}
    if labels.get(MANAGED_BY) == OPERATOR_NAME and labels.get(SITE_LABEL) == key.name:
        await cluster.delete(kind, key.namespace, name, found["metadata"]["uid"])


async def _report(cluster: Cluster, live: LiveSite, verdict: Verdict) -> None:
    await report(cluster, SITE, live, {DELETED: verdict}, {})
