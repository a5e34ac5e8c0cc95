"""The garbage collector and the namespace controller: they delete what depends on a deleted object."""

from collections.abc import Callable

from fakecluster.controllers.simulator import MANAGER, Action, Rule, Simulator
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest

COLLECTOR = "garbage collector"


def orphans(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """An object all of whose owners are gone goes too; references to owners that are gone are taken off others."""
    owners = obj["metadata"].get("ownerReferences", [])
    if not owners or "deletionTimestamp" in obj["metadata"]:
        return None
    present = [owner for owner in owners if _exists(sim, ref, owner)]
    if present == owners:
        return None
    if not present:
        uid = obj["metadata"]["uid"]
        return Action(COLLECTOR, ref, "owner is gone", lambda: sim.api.delete(ref, uid, propagation="Background"))
    patch = {"metadata": {"ownerReferences": present}}
    return Action(COLLECTOR, ref, "one owner is gone", lambda: sim.api.merge(ref, patch, MANAGER))


def _exists(sim: Simulator, ref: Ref, owner: Manifest) -> bool:
    found = sim.api.store.by_uid.get(owner["uid"])
    # An owner in another namespace is no owner.
    return found is not None and found.namespace in ("", ref.namespace) and found.name == owner["name"]


def waiting_owners(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """Deletions that wait for dependents: to be let go (orphan), or to go first (foreground)."""
    finalizers = obj["metadata"].get("finalizers", [])
    if "deletionTimestamp" not in obj["metadata"] or not {"orphan", "foregroundDeletion"} & set(finalizers):
        return None
    uid = obj["metadata"]["uid"]
    dependents = sim.dependents(uid)
    if "orphan" in finalizers:
        for each, dependent in dependents:
            rest = [owner for owner in dependent["metadata"]["ownerReferences"] if owner["uid"] != uid]
            return Action(COLLECTOR, ref, f"let {each} go", _patching(sim, each, {"ownerReferences": rest or None}))
        return _release(sim, ref, finalizers, "orphan")
    blocking = [(each, dependent) for each, dependent in dependents if _blocks(dependent, uid)]
    for each, dependent in blocking:
        if "deletionTimestamp" not in dependent["metadata"]:
            return Action(COLLECTOR, ref, f"{each} goes first", _deleting(sim, each, "Foreground"))
    return None if blocking else _release(sim, ref, finalizers, "foregroundDeletion")


def _blocks(dependent: Manifest, uid: str) -> bool:
    owners = dependent["metadata"]["ownerReferences"]
    return any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners)


def _deleting(sim: Simulator, ref: Ref, propagation: str) -> Callable[[], object]:
    return lambda: sim.api.delete(ref, propagation=propagation)


def _patching(sim: Simulator, ref: Ref, metadata: Manifest) -> Callable[[], object]:
    return lambda: sim.api.merge(ref, {"metadata": metadata}, MANAGER)


def _release(sim: Simulator, ref: Ref, finalizers: list[str], done: str) -> Action:
    rest = [each for each in finalizers if each != done]
    return Action(COLLECTOR, ref, f"{done} is done", _patching(sim, ref, {"finalizers": rest or None}))


def namespaces(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """A namespace that is deleted takes everything in it along, and goes when it is empty."""
    if "deletionTimestamp" not in obj["metadata"]:
        return None
    content = [(each, sim.api.get(each).obj) for each in sim.api.store.refs() if each.namespace == ref.name]
    for each, inside in content:
        if "deletionTimestamp" not in inside["metadata"]:
            return Action("namespace", ref, f"{each} goes", _deleting(sim, each, "Background"))
    if content:
        return None
    return Action("namespace", ref, "is empty", lambda: sim.api.finish(ref))


RULES: list[tuple[Kind | None, Rule]] = [
    (None, waiting_owners),
    (None, orphans),
    (kinds.NAMESPACE, namespaces),
]
