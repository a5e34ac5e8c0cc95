"""What the API server has refused, so that it is not asked the same thing again at every turn."""

from typing import NamedTuple

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.stage import Verdict

MOST = 10_000


class Refusal(NamedTuple):
    """One answer."""

    question: tuple[int, int]
    """Digests of what was wanted and of what there was: when one is another, it is another question."""
    verdict: Verdict
    seconds: float
    """How long it stands."""


class Refusals:
    """The refusals that stand. Forgotten with the process, which costs one more question each."""

    def __init__(self) -> None:
        self._by_ref: dict[Ref, tuple[Refusal, float]] = {}
        self.unseen: set[Ref] = set()
        """Names that are taken by something that our watches do not show."""

    def remember(self, ref: Ref, refusal: Refusal, now: float) -> None:
        """It was refused. `now` in seconds."""
        self._by_ref[ref] = refusal, now + refusal.seconds
        if len(self._by_ref) > MOST:
            del self._by_ref[next(iter(self._by_ref))]

    def standing(self, ref: Ref, question: tuple[int, int], now: float) -> Refusal | None:
        """The refusal that stands for this very question, None when it is worth asking."""
        refusal, until = self._by_ref.get(ref, (None, 0.0))
        if refusal is None:
            return None
        if refusal.question != question or now >= until:
            del self._by_ref[ref]
            return None
        return refusal
