"""Tells the truth in `status`, when it is not what status says already, and trouble and readiness as Events."""

from collections.abc import Mapping
from typing import Any

import msgspec

from frappe_operator.kube.conditions import READY, RECONCILING, STALLED, conditions, phase
from frappe_operator.kube.kinds import Kind, Manifest
from frappe_operator.kube.live import Condition, Custom
from frappe_operator.kube.stage import AS_EXPECTED, Verdict
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.errors import NotFound
from frappe_operator.runtime.events import announce


async def report(
    cluster: Cluster, kind: Kind, owner: Custom, verdicts: Mapping[str, Verdict], extra: Mapping[str, Any]
) -> None:
    """Writes the verdicts as conditions, and `extra` beside them (None removes a field), if that is news.

    `owner` is the object the verdicts are about: its generation is the one observed. Raises Conflict when it was
    deleted and another has its name.
    """
    meta = owner.metadata
    known = cluster.get(kind, meta.namespace, meta.name)
    # Our own last write is newer than what the reconcile began with.
    latest = known if isinstance(known, Custom) and known.metadata.uid == meta.uid else owner
    before, previous = latest.told, latest.conditions
    current = conditions(previous, verdicts, meta.generation, cluster.now())
    status = {
        **{name: value for name, value in extra.items() if value is not None or name in before},
        "observedGeneration": meta.generation,
        "phase": phase(current, owner.deleting),
        "conditions": msgspec.to_builtins(current),
    }
    after = _merged(before, status)
    if after == before:
        return
    if _wordless(after) == _wordless(before) and (seconds := cluster.pace.wait(meta.uid, cluster.clock())):
        cluster.look_again(kind, meta.key, seconds)
        return
    patch = {"metadata": {"uid": meta.uid}, "status": status}
    try:
        await cluster.patch(kind, meta.namespace, meta.name, patch, subresource="status", by=(kind, meta.key))
    except NotFound:
        # Gone while we looked at it: there is nobody to tell.
        return
    cluster.pace.spoke(meta.uid, cluster.clock())
    await announce(cluster, kind, owner, _turns(previous, current))


def _wordless(status: Manifest) -> Manifest:
    """A status without what is said of things simply on their way: which of several pods is waited for."""
    found = status.get("conditions")
    if not isinstance(found, list):
        return status
    return {**status, "conditions": [_bare(each) for each in found]}


def _bare(condition: Any) -> Any:
    on_its_way = isinstance(condition, dict) and condition.get("reason") in AS_EXPECTED
    return {**condition, "reason": "", "message": ""} if on_its_way else condition


def _merged(before: Any, patch: Any) -> Any:
    """What a merge patch makes of a value."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(before) if isinstance(before, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _turns(previous: tuple[Condition, ...], current: list[Condition]) -> list[Condition]:
    """The conditions that have turned and are worth an Event: trouble that comes, becomes another, or ends.

    A step on the way is none, nor that it is done: the conditions say so, and when. Of the computed conditions, which
    repeat the others, only Ready speaks, when it comes, when it goes, and when no other says what is in the way.
    """
    before = {condition.type: condition for condition in previous}
    stalled = any(condition.type == STALLED and condition.status == "True" for condition in current)
    turns: list[Condition] = []
    ready: Condition | None = None
    for condition in current:
        old = before.get(condition.type)
        if old is not None and (old.status, old.reason) == (condition.status, condition.reason):
            continue
        if condition.type == READY:
            ready = condition
        elif condition.type not in (RECONCILING, STALLED) and _is_news(old, condition):
            turns.append(condition)
    if ready is None:
        return turns
    was = before[READY].status if READY in before else "False"
    said = any(turn.reason == ready.reason for turn in turns)
    return [*turns, ready] if was != ready.status or (stalled and not said) else turns


def _is_news(old: Condition | None, new: Condition) -> bool:
    if old is None:
        return False
    if new.status == "True":
        return _is_trouble(old)
    return old.status == "True" or _is_trouble(new)


def _is_trouble(condition: Condition) -> bool:
    return condition.status != "True" and condition.reason not in AS_EXPECTED
