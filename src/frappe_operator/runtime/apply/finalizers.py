"""A finalizer: the object stays until we have said that it may go."""

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live
from frappe_operator.runtime.client.errors import NotFound
from frappe_operator.runtime.cluster import Cluster


async def ensure_finalizer(cluster: Cluster, kind: Kind, live: Live, name: str) -> None:
    """Sets it, unless the object is going already: then it is too late, and the API server would refuse.

    Raises Conflict when the object has changed meanwhile.
    """
    if live.deleting or name in live.metadata.finalizers:
        return
    await _set(cluster, kind, live, [*live.metadata.finalizers, name])


async def remove_finalizer(cluster: Cluster, kind: Kind, live: Live, name: str) -> None:
    """Lets go. That the object has gone already is fine. Raises Conflict when it has changed meanwhile."""
    if name in live.metadata.finalizers:
        await _set(cluster, kind, live, [each for each in live.metadata.finalizers if each != name])


async def _set(cluster: Cluster, kind: Kind, live: Live, finalizers: list[str]) -> None:
    meta = live.metadata
    # A merge patch replaces the whole list: only of exactly the object we have seen.
    guard = {"uid": meta.uid, "resourceVersion": str(meta.resource_version)}
    patch = {"metadata": {**guard, "finalizers": finalizers}}
    try:
        await cluster.patch(kind, meta.namespace, meta.name, patch, writer=(kind, meta.key))
    except NotFound:
        if not live.deleting:
            raise
