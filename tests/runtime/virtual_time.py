"""Async tests in virtual time: an hour passes at once, and a test that would hang for ever fails."""

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from fakecluster.virtual_time import VirtualLoop

P = ParamSpec("P")

LONGEST_SECONDS = 6 * 3600.0
"""What a test waits for longer than this never comes, though watches and the like go on."""


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """The test, run on an event loop whose clock jumps."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = VirtualLoop(LONGEST_SECONDS)
        try:
            loop.drive(test(*args, **kwargs))
        finally:
            loop.finish()

    return run
