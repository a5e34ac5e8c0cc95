"""When a look goes on: what people wait for at once, everything else one step in each turn of the event loop.

A look begins, and sends each of its requests, in a turn of its own. One that asks for nothing never pauses otherwise:
ten thousand of them would be a single turn, in which no event is heard, no edit is seen and no Lease is renewed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

HEAD_START_SECONDS = 0.02
"""How long nothing else goes on beside an edit that has just begun: most are done by then, and endless edits leave the
others fifty steps a second."""

_EDIT = ContextVar("edit", default=False)
"""Whether what runs is an edit, or a part of one."""


class Turns:
    """The order in which all workers of an engine go on."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._edits = 0
        self._calm = asyncio.Event()
        """Set while nobody waits for an edit."""
        self._calm.set()
        self._until = 0.0
        """Loop time until which the last edit has its head start."""

    @contextmanager
    def edit(self) -> Iterator[None]:
        """What is done in here goes first."""
        self._edits += 1
        self._calm.clear()
        self._until = asyncio.get_running_loop().time() + HEAD_START_SECONDS
        token = _EDIT.set(True)
        try:
            yield
        finally:
            _EDIT.reset(token)
            self._edits -= 1
            if not self._edits:
                self._calm.set()

    async def mine(self) -> None:
        """Waits for one's turn. An edit need not."""
        if _EDIT.get():
            return
        async with self._turn:
            await asyncio.sleep(0)
            if self._calm.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._until):
                    await self._calm.wait()
