"""Verdicts become conditions: the part of `status` people and programs read."""

from collections.abc import Mapping, Sequence

from frappe_operator.kube.live import Condition
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"


def conditions(
    previous: Sequence[Condition],
    verdicts: Mapping[str, Verdict],
    generation: int,
    now: str,
) -> list[Condition]:
    """One condition a stage, then the computed `Ready`, `Reconciling`, `Stalled` (kstatus).

    `Ready` takes reason and message of the first stage that is not true; one that is off on purpose counts only where
    no other is false. `lastTransitionTime` stays while the status stays. Conditions of other controllers in `previous`
    are kept as they are.
    """
    false = [verdict for verdict in verdicts.values() if not verdict.ok]
    why = next((verdict for verdict in false if not verdict.off), false[0] if false else None)
    if why is None:
        summary = {
            READY: Verdict(True, Reason.READY, "All conditions are true."),
            RECONCILING: Verdict(False, Reason.READY, "The object is up to date."),
            STALLED: Verdict(False, Reason.READY, "The object is not blocked."),
        }
    elif why.off:
        summary = {
            READY: why,
            RECONCILING: Verdict(False, why.reason, "The object is off on purpose."),
            STALLED: Verdict(False, why.reason, "The object is off on purpose."),
        }
    else:
        summary = {
            READY: why,
            RECONCILING: Verdict(not why.blocked, why.reason, why.message),
            STALLED: Verdict(why.blocked, why.reason, why.message),
        }
    before = {condition.type: condition for condition in previous}
    ours = {
        name: _condition(before.get(name), name, verdict, generation, now)
        for name, verdict in {**verdicts, **summary}.items()
    }
    others = [condition for name, condition in before.items() if name not in ours]
    return [*ours.values(), *others]


def _condition(old: Condition | None, name: str, verdict: Verdict, generation: int, now: str) -> Condition:
    status = "True" if verdict.ok else "False"
    since = old.last_transition_time if old is not None and old.status == status else now
    return Condition(name, status, str(verdict.reason), verdict.message, since, generation)


def phase(conditions: Sequence[Condition], deleting: bool = False) -> str:
    """`Pending`, `Provisioning`, `Ready`, `Off`, `Failed` or `Deleting`: for people; no code reads it."""
    by_type = {condition.type: condition for condition in conditions}
    if deleting:
        return "Deleting"
    if not by_type:
        return "Pending"
    if READY in by_type and by_type[READY].status == "True":
        return "Ready"
    if STALLED in by_type and by_type[STALLED].status == "True":
        return "Failed"
    if RECONCILING in by_type and by_type[RECONCILING].status == "False":
        return "Off"
    return "Provisioning"
