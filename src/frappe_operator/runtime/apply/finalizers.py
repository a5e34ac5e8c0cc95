"""Finalizers: an object with one is deleted only when its controller has removed it."""

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live
from frappe_operator.runtime.client.errors import NotFound
from frappe_operator.runtime.cluster import Cluster


class ConfirmedOwners:
    """The owners that existed before this process led, and that the API server has confirmed since. What a new process
    finds in its cache may be from the past, and the process before it may have acted on something newer."""

    def __init__(self) -> None:
        self.uids: set[str] = set()


async def ensure_finalizer(cluster: Cluster, kind: Kind, live: Live, name: str) -> None:
    """Adds a finalizer to an object, unless the object is being deleted: then the API server would refuse it.

    Raises Conflict when the object has changed meanwhile.
    """
    if live.deleting or name in live.metadata.finalizers:
        return
    await _set(cluster, kind, live, [*live.metadata.finalizers, name])


async def remove_finalizer(cluster: Cluster, kind: Kind, live: Live, name: str) -> None:
    """Removes a finalizer from an object. An object that does not exist any more is no error. Raises Conflict when it
    has changed meanwhile."""
    if name in live.metadata.finalizers:
        await _set(cluster, kind, live, [each for each in live.metadata.finalizers if each != name])


async def _set(cluster: Cluster, kind: Kind, live: Live, finalizers: list[str]) -> None:
    meta = live.metadata
    # A merge patch replaces the whole list: it may only hit the very version whose list was read.
    guard = {"uid": meta.uid, "resourceVersion": str(meta.resource_version)}
    patch = {"metadata": {**guard, "finalizers": finalizers}}
    try:
        await cluster.patch(kind, meta.namespace, meta.name, patch, writer=(kind, meta.key))
    except NotFound:
        if not live.deleting:
            raise
    else:
        cluster.state(ConfirmedOwners).uids.add(meta.uid)
