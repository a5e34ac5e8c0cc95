"""What the API server has refused, so that it is not asked the same thing again at every turn."""

from typing import NamedTuple

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.stage import Verdict

MOST = 10_000


Question = tuple[int, int]
"""Digests of what is wanted and of what there is, 0 for what is not seen: when one is another, so is the question."""


class Refusal(NamedTuple):
    """One answer."""

    question: Question
    verdict: Verdict
    seconds: float
    """How long it stands."""


class Refusals:
    """The refusals that stand. Forgotten with the process, which costs one more question each."""

    def __init__(self) -> None:
        self._by_ref: dict[Ref, tuple[Refusal, float]] = {}
        self.unseen: set[Ref] = set()
        """Names that are taken by something that our watches do not show."""
        self._differing: dict[Ref, Question] = {}

    def remember(self, ref: Ref, refusal: Refusal, now: float) -> None:
        """It was refused. `now` in seconds."""
        self._by_ref[ref] = refusal, now + refusal.seconds
        if len(self._by_ref) > MOST:
            del self._by_ref[next(iter(self._by_ref))]

    def standing(self, ref: Ref, question: Question, now: float) -> Refusal | None:
        """The refusal that stands for this very question, None when it is worth asking."""
        refusal, until = self._by_ref.get(ref, (None, 0.0))
        if refusal is None:
            return None
        if refusal.question != question or now >= until:
            del self._by_ref[ref]
            return None
        return refusal

    def differing(self, ref: Ref, question: Question) -> bool:
        """Whether this was found to need a write already, which has failed since: it need not be read again."""
        _, there = question
        return bool(there) and self._differing.get(ref) == question

    def differs(self, ref: Ref, question: Question) -> None:
        """It was read, and is not what is wanted."""
        self._differing[ref] = question
        if len(self._differing) > MOST:
            del self._differing[next(iter(self._differing))]

    def written(self, ref: Ref) -> None:
        """It is what is wanted now."""
        self._differing.pop(ref, None)
