"""A stage: one group of children, one status condition, one row in the docs."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Manifest


class Verdict(NamedTuple):
    """Whether a stage is true, and why not: a reason to match on, a sentence to act on."""

    ok: bool
    reason: str
    message: str
    blocked: bool = False
    """The user must change something; waiting does not help."""
    off: bool = False
    """Off on purpose, as a suspended object is: neither ready, nor in progress, nor stalled."""


class Undecided(Exception):
    """The desired state of the object cannot be decided: the reconcile ends before anything is written."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Blocked(Undecided):
    """The user must change something: the condition says what."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(Verdict(False, reason, message, blocked=True))


Lives = Sequence[Live | None]
"""What exists of a stage's children, in their order; None for one that does not exist yet."""


class Stage(NamedTuple):
    """One step in the life of an object."""

    condition: str
    """Type of the status condition that says whether the step is done."""
    children: Sequence[Manifest]
    """Kept equal to these, field by field, for as long as the owner lives."""
    ready: Callable[[Lives], Verdict]
    """Verdict on `children` followed by `once`."""
    once: Sequence[Manifest] = ()
    """Created when absent and never changed after: generated Secrets, Jobs."""
    after: Collection[str] | None = None
    """Conditions without which it does not begin; None: those of all stages before it."""
    replaces: Collection[Ref] = ()
    """Children that stay until all of `once` exist, although no stage names them."""


Failed = tuple[str, Verdict]
"""A check that failed: the condition it makes false, and why."""


T = TypeVar("T")


def failed(checks: Iterable[tuple[str, Callable[[T], Verdict | None]]], observed: T) -> list[Failed]:
    """Every check that fails, in their order, with the condition it makes false."""
    verdicts = ((condition, check(observed)) for condition, check in checks)
    return [(condition, verdict) for condition, verdict in verdicts if verdict is not None]


def require(premises: Iterable[Callable[[T], Verdict | None]], observed: T) -> None:
    """Raises Undecided with the first of the checks that fails."""
    for premise in premises:
        if verdict := premise(observed):
            raise Undecided(verdict)


def checked(stages: Iterable[Stage], failed: Sequence[Failed]) -> list[Stage]:
    """The stages, with each failed check right before the first stage of its condition: the condition is false and the
    stage does not begin; one that has begun is kept whole all the same."""
    result: list[Stage] = []
    for stage in stages:
        if all(each.condition != stage.condition for each in result):
            result += [
                Stage(name, [], lambda _, verdict=verdict: verdict)  # type: ignore[misc]
                for name, verdict in failed
                if name == stage.condition
            ]
        result.append(stage)
    return result
