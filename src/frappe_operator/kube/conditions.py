"""Computes the conditions and the phase in a status from the verdicts of the stages."""

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
    """One condition per stage, then the computed `Ready`, `Reconciling`, `Stalled` (kstatus).

    `Ready` has reason and message of the first stage that is not true; a stage that is off on purpose counts only when
    no other is false, and an advisory one never. `lastTransitionTime` changes only with the status of a condition.
    Conditions of other controllers in `previous` remain unchanged.
    """
    false = [verdict for verdict in verdicts.values() if not verdict.ok and not verdict.advisory]
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
    by_type = {condition.type: condition for condition in previous}
    computed = {
        name: _condition(by_type.get(name), name, verdict, generation, now)
        for name, verdict in {**verdicts, **summary}.items()
    }
    others = [condition for name, condition in by_type.items() if name not in computed]
    return [*computed.values(), *others]


def _condition(old: Condition | None, name: str, verdict: Verdict, generation: int, now: str) -> Condition:
    status = "True" if verdict.ok else "False"
    since = old.last_transition_time if old is not None and old.status == status else now
    return Condition(name, status, str(verdict.reason), verdict.message, since, generation)


def phase(conditions: Sequence[Condition], deleting: bool = False) -> str:
    """`Pending`, `Provisioning`, `Ready`, `Off`, `Failed` or `Deleting`: a summary for users, which no code reads."""
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
