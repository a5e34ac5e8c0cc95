"""How a site goes: its pods first, its data only when that was asked for."""

from typing import Literal

import msgspec
from msgspec import Struct

from frappe_operator.components import database
from frappe_operator.components.database import DATABASE_LABEL
from frappe_operator.kube.kinds import (
    BENCH,
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    POD,
    PVC,
    SECRET,
    SITE,
    STATEFUL_SET,
    Key,
    Kind,
)
from frappe_operator.kube.live import CONTROLLED_BY_US, Custom, Job, Pod
from frappe_operator.kube.names import JOB_LABEL, MANAGED_BY, OURS, SITE_FINALIZER, SITE_LABEL
from frappe_operator.kube.readiness import jobs_succeeded, succeeded
from frappe_operator.kube.stage import Reason, Stage, Verdict
from frappe_operator.model import bench as bench_model
from frappe_operator.model import report as report_model
from frappe_operator.model.bench import Image, Names
from frappe_operator.model.owner import Owner
from frappe_operator.model.site import SiteNames, is_our_database, job_resources
from frappe_operator.runtime.apply import apply
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.finalizers import remove_finalizer
from frappe_operator.runtime.report import report

LOOK_AGAIN_SECONDS = 2.0
DELETED = "Deleted"


class BenchName(Struct, frozen=True):
    name: str = ""


class Wish(Struct, rename="camel"):
    """The two fields of a spec that a deletion needs; the rest may be as wrong as it likes."""

    bench_ref: BenchName = BenchName()
    deletion_policy: Literal["Retain", "Delete"] = "Retain"


async def cleanup(cluster: Cluster, live: Custom) -> float | None:
    """Takes a site apart and lets it go. Returns when to look again, None when something will say so.

    Works with an invalid spec, without a bench, and without a database that answers: Retain needs none of them, and
    Delete waits only for a MariaDB that still exists.
    """
    key, names = live.metadata.key, SiteNames(live.metadata.name)
    await _stop(cluster, live)
    if pods := await _pods(cluster, key):
        message = f"Waiting for {', '.join(pods[:3])} to end: a worker finishes the job it is at"
        await _say(cluster, live, Verdict(False, Reason.DELETING, message))
        return LOOK_AGAIN_SECONDS
    wish = _wish(live)
    if wish.deletion_policy == "Delete":
        verdict = await _drop(cluster, live, wish.bench_ref.name)
        if not verdict.ok:
            await _say(cluster, live, verdict)
            return None
        for kind, name in ((PVC, names.files), (SECRET, names.connection), (SECRET, names.admin)):
            await _delete_kept(cluster, kind, key, name)
    await remove_finalizer(cluster, SITE, live, SITE_FINALIZER)
    return None


def _wish(live: Custom) -> Wish:
    try:
        return msgspec.json.decode(live.spec, type=Wish)
    except msgspec.MsgspecError:
        return Wish()


async def _stop(cluster: Cluster, live: Custom) -> None:
    """Ends what runs. The Job that drops the database is spared."""
    spared = database.drop_name(live.metadata.name)
    for kind, child in cluster.owned(live.metadata.uid):
        name, uid = child.metadata.name, child.metadata.uid
        unfinished = isinstance(child, Job) and not succeeded(child) and name != spared
        if (kind in (DEPLOYMENT, INGRESS) or unfinished) and not child.deleting:
            await cluster.delete(kind, child.metadata.namespace, name, uid)


async def _pods(cluster: Cluster, key: Key) -> list[str]:
    """The site's pods that may still write, asked of the API server itself."""
    spared = database.drop_name(key.name)
    return [
        pod["metadata"]["name"]
        for pod in await cluster.list(POD, key.namespace, f"{OURS},{SITE_LABEL}={key.name}")
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and pod["metadata"].get("labels", {}).get(JOB_LABEL) != spared
    ]


async def _drop(cluster: Cluster, live: Custom, bench: str) -> Verdict:
    """Drops database and user, where they are in a MariaDB of ours that still exists."""
    key, names = live.metadata.key, SiteNames(live.metadata.name)
    gone = Verdict(True, Reason.SUCCEEDED, "Nothing of the site is left in a database of ours.")
    secret = await cluster.read(SECRET, key.namespace, names.connection)
    label = ((secret or {}).get("metadata", {}).get("labels") or {}).get(DATABASE_LABEL, "")
    if not is_our_database(f"_{label}", key.namespace, key.name):
        return gone
    bench_names = Names(bench)
    server = await cluster.read(STATEFUL_SET, key.namespace, bench_names.mariadb)
    bench_live = cluster.get(BENCH, key.namespace, bench)
    body = await cluster.body(CONFIG_MAP, key.namespace, bench_names.image)
    facts = bench_model.facts_from((body or {}).get("data") or {})
    if server is None or facts is None or not isinstance(bench_live, Custom):
        return gone
    image = Image(facts.reference, pull_secrets=bench_model.pull_secrets(bench_live))
    sizes = job_resources(live, bench_live)
    job = database.drop(Owner.of(SITE, live, bench), image, bench_names, sizes, names.connection)
    found = cluster.select(POD, report_model.SITE_INDEX, f"{key.namespace}/{key.name}")
    pods = [pod for pod in found if isinstance(pod, Pod)]
    stage = Stage(DELETED, [], jobs_succeeded(report_model.reports(pods)), once=[job])
    return (await apply(cluster, SITE, live, [stage], prune=())).verdicts[DELETED]


async def _delete_kept(cluster: Cluster, kind: Kind, key: Key, name: str) -> None:
    """Deletes what outlives its owner unless it is asked to go, after a fresh look at whose it is."""
    found = await cluster.read(kind, key.namespace, name)
    if found is None or "deletionTimestamp" in found["metadata"]:
        return
    labels = found["metadata"].get("labels") or {}
    if labels.get(MANAGED_BY) == CONTROLLED_BY_US and labels.get(SITE_LABEL) == key.name:
        await cluster.delete(kind, key.namespace, name, found["metadata"]["uid"])


async def _say(cluster: Cluster, live: Custom, verdict: Verdict) -> None:
    await report(cluster, SITE, live, {DELETED: verdict}, {})
