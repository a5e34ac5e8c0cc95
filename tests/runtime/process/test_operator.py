"""The process: when it ends, and what it says then."""

import asyncio
from typing import Any, cast

import pytest

from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.process.leader import Leader
from frappe_operator.runtime.process.operator import _run_until_stopped


class Working:
    """An engine that knows everything and goes on for ever, unless there is trouble."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.synced = asyncio.Event()
        self.synced.set()
        self._trouble = trouble

    async def run(self, leading: asyncio.Event) -> None:
        if self._trouble:
            raise self._trouble
        await asyncio.Event().wait()


class Electing:
    """A leader whose election comes to an end: the Lease was lost, or there is trouble."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.leading = asyncio.Event()
        self._trouble = trouble

    async def run(self) -> None:
        if self._trouble:
            raise self._trouble

    async def release(self) -> None:
        self.leading.clear()


def until_told(engine: Working, leader: Electing) -> int:
    async def run() -> int:
        return await _run_until_stopped(cast(Engine, engine), cast(Leader, leader))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("engine", "leader"),
    [({"trouble": KeyError("a bug")}, {}), ({}, {"trouble": KeyError("a bug")})],
    ids=["engine", "election"],
)
def test_an_unexpected_exception_is_raised_and_not_merely_an_exit_code(engine: Any, leader: Any) -> None:
    with pytest.raises(KeyError, match="a bug"):
        until_told(Working(**engine), Electing(**leader))


def test_who_has_lost_the_lease_ends() -> None:
    assert until_told(Working(), Electing()) == 1
