"""Async tests in virtual time: an hour passes at once, and what would hang for ever fails."""

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from tests.world.clock import VirtualLoop

P = ParamSpec("P")


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """The test, run on an event loop whose clock jumps."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = VirtualLoop()
        try:
            loop.drive(test(*args, **kwargs))
        finally:
            loop.finish()

    return run
