"""Whole objects that somebody needed: asked for once, remembered while they do not change, and while there is room."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

MOST_BYTES = 16 * 2**20


class Bodies:
    """Bodies by UID, each of one version."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most`: bytes that are remembered."""
        self._left = most
        self._known: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, uid: str, version: int, ask: Callable[[], Awaitable[tuple[str, int, bytes]]]) -> bytes:
        """The body of an object in this version, or in a newer one.

        `ask` reads UID, version and body. Many who want the same at once ask once: an object that a thousand others
        refer to is read a single time.
        """
        lock = self._asking.setdefault(uid, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(uid)
                if known is not None and known[0] == version:
                    self._known.move_to_end(uid)
                    return known[1]
                found = await ask()
                self._remember(*found)
                return found[2]
        finally:
            if not lock.locked():
                self._asking.pop(uid, None)

    def _remember(self, uid: str, version: int, body: bytes) -> None:
        _, before = self._known.pop(uid, (0, b""))
        self._known[uid] = version, body
        self._left += len(before) - len(body)
        while self._left < 0:
            _, (_, oldest) = self._known.popitem(last=False)
            self._left += len(oldest)
