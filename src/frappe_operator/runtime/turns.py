"""When a look begins: what people wait for at once, everything else one in each turn of the event loop.

A look that asks the API server for nothing never pauses: ten thousand of them would be a single turn, in which no event
is heard, no edit is seen and no Lease is renewed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HEAD_START_SECONDS = 0.02
"""How long nothing else begins beside an edit: most are done by then, and endless edits leave the others fifty looks a
second."""


class Turns:
    """The order in which all workers of an engine begin."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._edits = 0
        self._calm = asyncio.Event()
        """Set while nobody waits for an edit."""
        self._calm.set()

    @contextmanager
    def edit(self) -> Iterator[None]:
        """What is done in here goes first."""
        self._edits += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._edits -= 1
            if not self._edits:
                self._calm.set()

    async def mine(self) -> None:
        """Waits for one's turn."""
        async with self._turn:
            await asyncio.sleep(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(HEAD_START_SECONDS):
                    await self._calm.wait()
