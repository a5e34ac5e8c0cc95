"""Writes the status of an object when it has changed, and Events when a problem or readiness begins or ends."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from frappe_operator.kube.conditions import READY, RECONCILING, STALLED, conditions, phase
from frappe_operator.kube.kinds import KindOf
from frappe_operator.kube.live import Condition, Custom
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason, Trait, traits
from frappe_operator.kube.stage import Verdict
from frappe_operator.runtime.client.errors import NotFound
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.status.events import record_events

SUMMARY = (READY, RECONCILING, STALLED)
"""The conditions that are computed from all others."""

STATUS_INTERVAL_SECONDS = 10.0
"""The shortest time between a status and the next that differs only in the messages about work in progress: a reader is
no faster, and writes cost the API server."""


class StatusInterval:
    """When the status of each object was last written."""

    def __init__(self) -> None:
        self._written: OrderedDict[str, float] = OrderedDict()

    def wait(self, uid: str, now: float) -> float:
        """Seconds until mere messages of an object may be written again; 0: now. `now` in seconds."""
        left = self._written.get(uid, now - STATUS_INTERVAL_SECONDS) + STATUS_INTERVAL_SECONDS - now
        # A clock that was set back must not hold up the status for ever.
        return left if 0 < left <= STATUS_INTERVAL_SECONDS else 0.0

    def written(self, uid: str, now: float) -> None:
        """The status has just been written."""
        self._written[uid] = now
        self._written.move_to_end(uid)
        while now - next(iter(self._written.values())) >= STATUS_INTERVAL_SECONDS:
            self._written.popitem(last=False)


async def report(
    cluster: Cluster, kind: KindOf[Custom], owner: Custom, verdicts: Mapping[str, Verdict], extra: Mapping[str, Any]
) -> None:
    """Writes the verdicts as conditions, and `extra` beside them (None removes a field), if the status changes.

    `owner`: the object that was reconciled; its generation becomes the observed one. Raises Conflict when it was
    deleted and another object has its name.
    """
    meta = owner.metadata
    cached = cluster.get(kind, meta.namespace, meta.name)
    # The status that was written last is newer than the one that the reconcile began with.
    latest = cached if cached is not None and cached.metadata.uid == meta.uid else owner
    before, previous = latest.status_fields, latest.conditions
    current = conditions(previous, verdicts, meta.generation, cluster.now())
    status = {
        **{name: value for name, value in extra.items() if value is not None or name in before},
        "observedGeneration": meta.generation,
        "phase": phase(current, owner.deleting),
        "conditions": msgspec.to_builtins(current),
    }
    # As JSON, which the previous status was read from: a tuple never equals the list that it is written as.
    status = msgspec.json.decode(msgspec.json.encode(status))
    after = _merged(before, status)
    if after == before:
        return
    interval = cluster.state(StatusInterval)
    if _without_progress(after) == _without_progress(before) and (seconds := interval.wait(meta.uid, cluster.clock())):
        cluster.requeue(kind, meta.key, seconds)
        return
    patch = {"metadata": {"uid": meta.uid}, "status": status}
    try:
        await cluster.patch(kind, meta.namespace, meta.name, patch, subresource="status", writer=(kind, meta.key))
    except NotFound:
        # Deleted meanwhile.
        return
    interval.written(meta.uid, cluster.clock())
    await record_events(cluster, kind, owner, _transitions(previous, current))


def _without_progress(status: Manifest) -> Manifest:
    """A status without the messages of conditions in progress, such as which of several pods is not ready."""
    found = status.get("conditions")
    if not isinstance(found, list):
        return status
    return {**status, "conditions": [_without_message(each) for each in found]}


def _without_message(condition: Any) -> Any:
    in_progress = isinstance(condition, dict) and Trait.EXPECTED in traits(str(condition.get("reason")))
    return {**condition, "reason": "", "message": ""} if in_progress else condition


def _merged(before: Any, patch: Any) -> Any:
    """The result of applying a merge patch to a value."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(before) if isinstance(before, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _transitions(previous: tuple[Condition, ...], current: list[Condition]) -> list[Condition]:
    """The changed conditions that are worth an Event, one for each cause.

    These are: a problem that begins, changes or ends; readiness that begins; readiness that ends by itself, reported by
    the condition that Ready repeats. Not these: work that follows from an edit of this object or another one, a step in
    progress, and consequences of what has been reported already. Conditions say all that, and since when.
    """
    before = {condition.type: condition for condition in previous}
    now = {condition.type: condition for condition in current}
    transitions = [
        each for name, each in now.items() if name not in SUMMARY and _is_problem_change(before.get(name), each)
    ]
    ready, was = now[READY], before.get(READY)
    if ready.status == "True":
        # Ready implies that all problems are solved.
        changed = was is None or was.status != "True"
        return [*(each for each in transitions if each.status != "True"), *([ready] if changed else [])]
    cause = next((each for name, each in now.items() if name not in SUMMARY and _repeated(each, ready)), None)
    changed = was is None or (was.status, was.reason) != (ready.status, ready.reason)
    lost = was is not None and was.status == "True" and was.observed_generation == ready.observed_generation
    begins = cause is not None and cause.type in before and before[cause.type].reason == Reason.NOT_NEEDED
    if cause is None and changed and (_is_problem(ready) or lost):
        transitions.append(ready)
    elif cause is not None and lost and not begins and Trait.UNDER_WAY not in traits(cause.reason):
        transitions.append(cause)
    return list({(each.status, each.reason, each.message): each for each in transitions}.values())


def _is_problem_change(old: Condition | None, new: Condition) -> bool:
    """Whether a problem has begun, changed or ended."""
    if old is None or (old.status, old.reason) == (new.status, new.reason):
        return False
    return _is_problem(old) if new.status == "True" else _is_problem(new)


def _repeated(condition: Condition, ready: Condition) -> bool:
    """Whether this is the condition that Ready repeats."""
    return condition.status != "True" and (condition.reason, condition.message) == (ready.reason, ready.message)


def _is_problem(condition: Condition) -> bool:
    return condition.status != "True" and Trait.EXPECTED not in traits(condition.reason)
