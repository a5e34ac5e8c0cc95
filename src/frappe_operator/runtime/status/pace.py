"""How often an object's status may change by mere words: who watches it reads no faster, and writes are not free."""

from collections import OrderedDict

PACE_SECONDS = 10.0
"""Between a status and another that differs from it in nothing but what is said of things on their way."""


class Pace:
    """When each object's status was last written."""

    def __init__(self) -> None:
        self._spoke: OrderedDict[str, float] = OrderedDict()

    def wait(self, uid: str, now: float) -> float:
        """Seconds until the words of an object may change; 0: now. `now` in seconds."""
        left = self._spoke.get(uid, now - PACE_SECONDS) + PACE_SECONDS - now
        # A clock that was set back must not silence anybody.
        return left if 0 < left <= PACE_SECONDS else 0.0

    def spoke(self, uid: str, now: float) -> None:
        """Its status has just been written."""
        self._spoke[uid] = now
        self._spoke.move_to_end(uid)
        while now - next(iter(self._spoke.values())) >= PACE_SECONDS:
            self._spoke.popitem(last=False)
