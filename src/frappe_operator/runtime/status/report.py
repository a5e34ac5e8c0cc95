"""Tells the truth in `status`, when it is not what status says already, and trouble and readiness as Events."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from frappe_operator.kube.conditions import READY, RECONCILING, STALLED, conditions, phase
from frappe_operator.kube.kinds import Kind, Manifest
from frappe_operator.kube.live import Condition, Custom
from frappe_operator.kube.stage import AS_EXPECTED, UNDER_WAY, Reason, Verdict
from frappe_operator.runtime.client.errors import NotFound
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.status.events import announce

SUMMARY = (READY, RECONCILING, STALLED)
"""The computed conditions, which repeat the others."""

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
    interval = cluster.state(StatusInterval)
    if _wordless(after) == _wordless(before) and (seconds := interval.wait(meta.uid, cluster.clock())):
        cluster.requeue(kind, meta.key, seconds)
        return
    patch = {"metadata": {"uid": meta.uid}, "status": status}
    try:
        await cluster.patch(kind, meta.namespace, meta.name, patch, subresource="status", writer=(kind, meta.key))
    except NotFound:
        # Gone while we looked at it: there is nobody to tell.
        return
    interval.written(meta.uid, cluster.clock())
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
    """The conditions that have turned and are worth an Event: one for each cause.

    Trouble that comes, becomes another, or ends; readiness that comes; readiness that goes by itself, told by the
    condition that Ready repeats. An edit is none of these, of the object or of another that has work begin here, nor a
    step on the way, nor what merely follows from something that was told: conditions say so, and since when.
    """
    before = {condition.type: condition for condition in previous}
    now = {condition.type: condition for condition in current}
    turns = [each for name, each in now.items() if name not in SUMMARY and _is_news(before.get(name), each)]
    ready, was = now[READY], before.get(READY)
    if ready.status == "True":
        # That it is ready says that whatever was in the way is over.
        turned = was is None or was.status != "True"
        return [*(each for each in turns if each.status != "True"), *([ready] if turned else [])]
    cause = next((each for name, each in now.items() if name not in SUMMARY and _repeated(each, ready)), None)
    turned = was is None or (was.status, was.reason) != (ready.status, ready.reason)
    gone = was is not None and was.status == "True" and was.observed_generation == ready.observed_generation
    begins = cause is not None and cause.type in before and before[cause.type].reason == Reason.NOT_NEEDED
    if cause is None and turned and (_is_trouble(ready) or gone):
        turns.append(ready)
    elif cause is not None and gone and not begins and cause.reason not in UNDER_WAY:
        turns.append(cause)
    return list({(each.status, each.reason, each.message): each for each in turns}.values())


def _is_news(old: Condition | None, new: Condition) -> bool:
    """Whether trouble has come, has become another, or has ended."""
    if old is None or (old.status, old.reason) == (new.status, new.reason):
        return False
    return _is_trouble(old) if new.status == "True" else _is_trouble(new)


def _repeated(condition: Condition, ready: Condition) -> bool:
    """Whether it is the condition that Ready repeats."""
    return condition.status != "True" and (condition.reason, condition.message) == (ready.reason, ready.message)


def _is_trouble(condition: Condition) -> bool:
    return condition.status != "True" and condition.reason not in AS_EXPECTED
