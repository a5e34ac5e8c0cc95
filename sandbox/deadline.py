"""Waits for conditions outside this process, which can only be looked at again and again."""

import time
from collections.abc import Callable

_LOOK_AGAIN = 0.05


class DeadlineExceededError(Exception):
    """What was waited for did not come true in time."""


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return once `condition()` is true.

    Raises `DeadlineExceededError` naming `what` if it is not so within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DeadlineExceededError(f"{what}: not within {seconds:g} s")
        time.sleep(_LOOK_AGAIN)
