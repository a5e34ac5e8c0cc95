"""A stage: one group of children, one status condition, one row in the docs."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

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


class Undecided(Exception):
    """What the object should be cannot be said. Ends the reconcile before anything is written."""

    blocked = False

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.verdict = Verdict(False, reason, message, blocked=self.blocked)


class Waiting(Undecided):
    """Something else has to come first, and will say so when it is there."""


class Blocked(Undecided):
    """The user must change something: the condition says what. No retry."""

    blocked = True


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
