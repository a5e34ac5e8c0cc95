"""Stages of a reconcile: each is a group of children with one condition."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Manifest


class Verdict(NamedTuple):
    """The outcome of a stage or check: a reason for programs, a message for users."""

    ok: bool
    reason: str
    message: str
    blocked: bool = False
    """Whether the user must change something: waiting does not help."""
    off: bool = False
    """Whether the object is off on purpose, such as suspended: neither ready, nor reconciling, nor stalled."""
    advisory: bool = False
    """Whether the condition leaves the object ready: what it reports does not affect what the object provides."""


class Undecided(Exception):
    """The desired state of the object cannot be decided: the reconcile ends before anything is written."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Blocked(Undecided):
    """Ends a reconcile until the user changes something; the message says what."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(Verdict(False, reason, message, blocked=True))


LiveChildren = Sequence[Live | None]
"""The live children of a stage in the order of their manifests; None for a child that does not exist."""


class Stage(NamedTuple):
    """One step of the reconcile of an object."""

    condition: str
    """Type of the condition that reports the stage."""
    children: Sequence[Manifest]
    """Manifests that are applied in every reconcile, with drift repaired."""
    ready: Callable[[LiveChildren], Verdict]
    """Computes the verdict from the live objects of `children` followed by those of `once`."""
    once: Sequence[Manifest] = ()
    """Manifests of create-once children, such as generated Secrets and Jobs: created when absent, never changed."""
    after: Collection[str] | None = None
    """Conditions that must be true before the stage begins; None for those of all previous stages."""
    replaces: Collection[Ref] = ()
    """Children that are not pruned before all of `once` exist, although no stage contains them."""
    keeps: Collection[Ref] = ()
    """Children that are not pruned, although no stage contains them."""


Failed = tuple[str, Verdict]
"""A failed check: the type of the condition that it makes false, and the verdict."""


T = TypeVar("T")


def failed(checks: Iterable[tuple[str, Callable[[T], Verdict | None]]], observed: T) -> list[Failed]:
    """All checks that fail, in order. `checks`: the type of the condition that a check makes false, and the check."""
    verdicts = ((condition, check(observed)) for condition, check in checks)
    return [(condition, verdict) for condition, verdict in verdicts if verdict is not None]


def require(premises: Iterable[Callable[[T], Verdict | None]], observed: T) -> None:
    """Raises Undecided with the verdict of the first premise that fails."""
    for premise in premises:
        if verdict := premise(observed):
            raise Undecided(verdict)


def checked(stages: Iterable[Stage], failed: Sequence[Failed]) -> list[Stage]:
    """The stages, with each failed check inserted before the first stage of its condition: the condition is false and
    the stage does not begin; a stage that has begun is still reconciled."""
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
