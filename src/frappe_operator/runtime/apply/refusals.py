"""Writes that the API server has refused, so that they are not repeated in every reconcile."""

from typing import NamedTuple

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.stage import Verdict

MOST = 10_000


Digests = tuple[int, int]
"""Of the desired state and of the cached object (0: none). When either changes, the write is worth another attempt."""


class Refusal(NamedTuple):
    """One refused write."""

    digests: Digests
    verdict: Verdict
    seconds: float
    """How long the write is not repeated."""


class Refusals:
    """The refused writes. They are lost with the process, which costs one more request each."""

    def __init__(self) -> None:
        self._by_ref: dict[Ref, tuple[Refusal, float]] = {}
        self.uncached: set[Ref] = set()
        """Names that belong to objects which the watches do not deliver."""
        self._drifted: dict[Ref, Digests] = {}

    def remember(self, ref: Ref, refusal: Refusal, now: float) -> None:
        """Remembers a refusal. `now` in seconds."""
        self._by_ref[ref] = refusal, now + refusal.seconds
        if len(self._by_ref) > MOST:
            del self._by_ref[next(iter(self._by_ref))]

    def current(self, ref: Ref, digests: Digests, now: float) -> Refusal | None:
        """The refusal of exactly this write, None when it is worth an attempt."""
        refusal, until = self._by_ref.get(ref, (None, 0.0))
        if refusal is None:
            return None
        if refusal.digests != digests or now >= until:
            del self._by_ref[ref]
            return None
        return refusal

    def is_drifted(self, ref: Ref, digests: Digests) -> bool:
        """Whether the child was read already and found to have drifted, and the write has failed since."""
        _, cached = digests
        return bool(cached) and self._drifted.get(ref) == digests

    def drifted(self, ref: Ref, digests: Digests) -> None:
        """Remembers that the child was read and has drifted."""
        self._drifted[ref] = digests
        if len(self._drifted) > MOST:
            del self._drifted[next(iter(self._drifted))]

    def repaired(self, ref: Ref) -> None:
        """The child is as its manifest says."""
        self._drifted.pop(ref, None)
