"""`spec.replicas` of a Deployment changes hands: from the operator to an autoscaler.

The API server removes a field whose only owner applies an object without it, and then fills in its default: one
replica, whatever there were. So another owner takes the field first, with the value that it has. The autoscaler takes
it from there with its first change.
"""

from frappe_operator.kube.kinds import DEPLOYMENT, HPA, Kind, ref_of
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.cluster import Cluster

KEEPER = f"{OPERATOR_NAME}-replicas"
"""The field manager that owns the number of replicas while the autoscaler has not changed it."""
AFTER_OTHERS: tuple[Kind, ...] = (HPA,)
"""Kinds that are written after the other children of their stage: their controllers write to those."""


async def hand_over(cluster: Cluster, desired: Manifest, body: Manifest) -> None:
    """Gives the number of replicas of a Deployment another owner before it is applied without the number.

    `body`: the whole Deployment as it was just read. Raises Conflict when the number has changed since.
    """
    if ref_of(desired).kind != DEPLOYMENT or "replicas" in desired["spec"] or not _owned(body):
        return
    meta = body["metadata"]
    guard = {name: meta[name] for name in ("namespace", "name", "uid")}
    kept = {**{name: desired[name] for name in ("apiVersion", "kind")}, "metadata": guard}
    # Without force: whoever has changed the number meanwhile owns it, and is not overruled.
    await cluster.apply({**kept, "spec": {"replicas": body["spec"]["replicas"]}}, manager=KEEPER, force=False)


def _owned(body: Manifest) -> bool:
    """Whether the operator owns the number of replicas."""
    return any(
        entry.get("manager") == OPERATOR_NAME
        and not entry.get("subresource")
        and "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        for entry in body["metadata"].get("managedFields") or []
    )
