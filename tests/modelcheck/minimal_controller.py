"""A product with a child of every sort: a claim that outlives its owner, a generated Secret, a Job that works once, a
Deployment, a ConfigMap that one of two specs wants, and a finalizer. Its reconcile has the shape of a site's."""

import msgspec

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, PVC, SECRET, KindOf, Ref
from frappe_operator.kube.live import OPERATOR_NAME, Custom, Job, StorageClass
from frappe_operator.kube.live import Meta as LiveMeta
from frappe_operator.kube.names import INSTANCE, MANAGED_BY, OPERATOR_SELECTOR, RETAINED_LABEL
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.readiness import claims_usable, jobs_succeeded, succeeded, workloads_available
from frappe_operator.kube.stage import Stage
from frappe_operator.runtime.apply.children import INPUTS, apply
from frappe_operator.runtime.apply.finalizers import ensure_finalizer, remove_finalizer
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, owned_by
from frappe_operator.runtime.status.report import report

TOY = KindOf("toys.example.com", "v1", "Toy", "toys", Custom)
FINALIZER = "toys.example.com/put-away"
SPACE, NAME = "nursery", "bear"
KEY = Key(SPACE, NAME)

FIRST: Manifest = {"size": 1, "note": "fragile", "revision": "a", "deletionPolicy": "Retain"}
SECOND: Manifest = {"size": 2, "revision": "b", "deletionPolicy": "Delete"}

CLASSES = {"slow": StorageClass(LiveMeta("slow"), "example.com/disks", "Immediate")}

REFS = (
    Ref(TOY, SPACE, NAME),
    Ref(PVC, SPACE, f"{NAME}-files"),
    Ref(SECRET, SPACE, f"{NAME}-key"),
    Ref(JOB, SPACE, f"{NAME}-sew"),
    Ref(DEPLOYMENT, SPACE, f"{NAME}-shelf"),
    Ref(CONFIG_MAP, SPACE, f"{NAME}-label"),
)
"""Every object there can be."""
OWNER, CLAIM, KEY_SECRET, SEW, SHELF, LABEL = range(len(REFS))
NAMES = ("the Toy", "the claim", "the Secret", "the Job", "the Deployment", "the ConfigMap")


def child(index: int, *, kept: bool = False, annotations: dict[str, str] | None = None, **body: object) -> Manifest:
    """A child's manifest."""
    kind, namespace, name = REFS[index]
    metadata: Manifest = {
        "namespace": namespace,
        "name": name,
        "labels": {MANAGED_BY: OPERATOR_NAME, INSTANCE: NAME},
    }
    if annotations:
        metadata["annotations"] = annotations
    if kept:
        metadata["labels"][RETAINED_LABEL] = "true"
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}


def stages(spec: Manifest) -> list[Stage]:
    """The stages of a Toy."""
    files = child(CLAIM, kept=True, spec={"storageClassName": "slow", "resources": {"requests": {"storage": "1Gi"}}})
    key = child(KEY_SECRET, kept=True, stringData={"key": "token"})
    sew = child(SEW, annotations={INPUTS: spec["revision"]}, spec={"backoffLimit": 9})
    shelf = child(SHELF, spec={"replicas": spec["size"]})
    label = [child(LABEL, data={"note": spec["note"]})] if "note" in spec else []
    return [
        Stage("Stored", [files], claims_usable(CLASSES), once=[key]),
        Stage("Sewn", [], jobs_succeeded({}), once=[sew]),
        Stage("Shelved", [shelf, *label], workloads_available),
    ]


async def reconcile(cluster: Cluster, key: Key) -> float | None:
    """Reconciles a Toy."""
    live = cluster.get(TOY, key.namespace, key.name)
    if not isinstance(live, Custom):
        return None
    if live.deleting:
        await cleanup(cluster, live)
        return None
    await ensure_finalizer(cluster, TOY, live, FINALIZER)
    done = await apply(cluster, TOY, live, stages(msgspec.json.decode(live.spec)), prune=(CONFIG_MAP, DEPLOYMENT))
    await report(cluster, TOY, live, done.verdicts, {})
    return None


async def cleanup(cluster: Cluster, live: Custom) -> None:
    """What works ends first; data goes when that was asked for; then the toy may go."""
    for kind, each in cluster.owned(live.metadata.uid):
        unfinished = isinstance(each, Job) and not succeeded(each)
        if (kind is DEPLOYMENT or unfinished) and not each.deleting:
            await cluster.delete(kind, each.metadata.namespace, each.metadata.name, each.metadata.uid)
    if msgspec.json.decode(live.spec)["deletionPolicy"] == "Delete":
        for index in (CLAIM, KEY_SECRET):
            await delete_kept(cluster, REFS[index])
    await remove_finalizer(cluster, TOY, live, FINALIZER)


async def delete_kept(cluster: Cluster, ref: Ref) -> None:
    """Deletes what outlives its owner, after a fresh look at whose it is."""
    found = await cluster.read(*ref)
    if found is None or "deletionTimestamp" in found["metadata"]:
        return
    if (found["metadata"].get("labels") or {}).get(MANAGED_BY) == OPERATOR_NAME:
        await cluster.delete(*ref, found["metadata"]["uid"])


CONTROLLER = Controller(
    TOY,
    reconcile,
    [
        Watch(PVC, lambda _, live: [KEY], labels=OPERATOR_SELECTOR),
        Watch(SECRET, lambda _, live: [KEY], labels=OPERATOR_SELECTOR, metadata_only=True),
        Watch(JOB, owned_by(TOY), labels=OPERATOR_SELECTOR),
        Watch(DEPLOYMENT, owned_by(TOY), labels=OPERATOR_SELECTOR),
        Watch(CONFIG_MAP, owned_by(TOY), labels=OPERATOR_SELECTOR, metadata_only=True),
    ],
)
