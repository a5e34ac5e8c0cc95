"""The bodies of whole objects: requested once, remembered until the object changes and while there is room."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

MOST_BYTES = 16 * 2**20


class Bodies:
    """Remembered bodies by UID, each in one version."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most`: how many bytes are remembered."""
        self._left = most
        self._remembered: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._requests: dict[str, asyncio.Lock] = {}

    async def get(self, uid: str, version: int, request: Callable[[], Awaitable[tuple[str, int, bytes]]]) -> bytes:
        """The body of an object in this version, or in a newer one.

        `request` reads UID, version and body. Concurrent calls for one object send one request: an object that a
        thousand others refer to is read a single time.
        """
        lock = self._requests.setdefault(uid, asyncio.Lock())
        try:
            async with lock:
                remembered = self._remembered.get(uid)
                if remembered is not None and remembered[0] == version:
                    self._remembered.move_to_end(uid)
                    return remembered[1]
                found = await request()
                self._remember(*found)
                return found[2]
        finally:
            if not lock.locked():
                self._requests.pop(uid, None)

    def _remember(self, uid: str, version: int, body: bytes) -> None:
        _, before = self._remembered.pop(uid, (0, b""))
        self._remembered[uid] = version, body
        self._left += len(before) - len(body)
        while self._left < 0:
            _, (_, oldest) = self._remembered.popitem(last=False)
            self._left += len(oldest)
