"""When reconciles continue: those that users wait for at once, all others one step per iteration of the event loop.

A reconcile begins, and sends each of its requests, in an iteration of its own. A reconcile without any request would
never yield otherwise: ten thousand of them would be a single iteration, in which no event is received, no edit is
noticed and no Lease is renewed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

HEAD_START_SECONDS = 0.02
"""How long all other reconciles wait for an edit that has just begun. Most edits are done by then, and under an endless
stream of edits the others still get fifty steps a second."""

_URGENT = ContextVar("urgent", default=False)
"""Whether the current task reconciles an edit, or is a part of that."""


class StepScheduler:
    """Decides when each worker of an engine continues."""

    def __init__(self) -> None:
        self._next = asyncio.Lock()
        self._edits = 0
        self._no_edits = asyncio.Event()
        """Set while no edit is being reconciled."""
        self._no_edits.set()
        self._head_start_ends = 0.0
        """Loop time at which the head start of the newest edit ends."""

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """The reconcile of an edit: inside, `step` does not wait, and all others wait for it."""
        self._edits += 1
        self._no_edits.clear()
        self._head_start_ends = asyncio.get_running_loop().time() + HEAD_START_SECONDS
        token = _URGENT.set(True)
        try:
            yield
        finally:
            _URGENT.reset(token)
            self._edits -= 1
            if not self._edits:
                self._no_edits.set()

    async def step(self) -> None:
        """Waits until the current task may continue. An edit may at once."""
        if _URGENT.get():
            return
        async with self._next:
            await asyncio.sleep(0)
            if self._no_edits.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._head_start_ends):
                    await self._no_edits.wait()
