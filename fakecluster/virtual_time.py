"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import math
import selectors
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")
TICKS = 2**24
"""Moments in a second: a power of two, so that times are exact."""


class Deadlock(Exception):
    """Everything waits and no timer runs, or time has passed for longer than it may: this would hang for ever."""


class _Jumping(selectors.DefaultSelector):
    """Polls its files without waiting; the time to wait passes at once."""

    def __init__(self, advance: Callable[[float | None], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            self._advance(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop for code that only waits for timers and for itself: no threads, no network."""

    def __init__(self, ends: float = math.inf) -> None:
        """`ends`: the time at which whatever still waits is taken to be stuck."""
        self._now = 0.0
        self._ends = ends
        super().__init__(_Jumping(self._pass))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As every loop, but at one of TICKS moments a second, not before `when`.

        A loop calls what is due within the resolution of its clock. Between moments that are nearer to each other, this
        clock would stand still, and whoever waits for the rest of the time would do so for ever.
        """
        return super().call_at(math.ceil(when * TICKS) / TICKS, callback, *args, context=context)

    def _pass(self, seconds: float | None) -> None:
        if seconds is None:
            raise Deadlock("nothing will ever happen again")
        self._now += seconds
        if self._now > self._ends:
            raise Deadlock(f"not done after {self._ends:.0f} virtual seconds")

    def drive(self, work: Awaitable[Any]) -> Any:
        """Run until `work` is done; other tasks go on as far as they get meanwhile."""
        return self.run_until_complete(work)

    def finish(self) -> None:
        """Cancel what still runs and close."""
        self._ends = math.inf
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()
