"""How many Events an object may have: one that flaps must not fill the API server's store."""

MOST_AT_ONCE = 20
"""Events an object may have in a row; after that it gets another one every REFILL_SECONDS."""
REFILL_SECONDS = 60.0


class Budget:
    """What each object has left."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    def take(self, uid: str, now: float) -> bool:
        """Whether one more is allowed. `now` in seconds."""
        spent, since = self._spent.get(uid, (0.0, now))
        spent = max(0.0, spent - (now - since) / REFILL_SECONDS)
        if spent + 1 > MOST_AT_ONCE:
            return False
        self._spent[uid] = spent + 1, now
        if len(self._spent) > 10_000:
            self._spent = {uid: (n, at) for uid, (n, at) in self._spent.items() if (now - at) / REFILL_SECONDS < n}
        return True
