"""Whole objects are asked for once, however many want them."""

import asyncio

import pytest

from frappe_operator.runtime.cache.bodies import Bodies
from tests.runtime.virtual_time import virtual


class Server:
    """Answers with the newest version of the one object it is asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.version = 1
        self.fails = 0

    async def ask(self) -> tuple[str, int, bytes]:
        self.asked += 1
        await asyncio.sleep(1)
        if self.fails:
            self.fails -= 1
            raise LookupError
        return "uid", self.version, f"body {self.version}".encode()


@virtual
async def test_concurrent_reads_of_a_body_send_one_request() -> None:
    server, bodies = Server(), Bodies()
    found = await asyncio.gather(*(bodies.get("uid", 1, server.ask) for _ in range(50)))
    assert found == [b"body 1"] * 50
    assert await bodies.get("uid", 1, server.ask) == b"body 1"
    assert server.asked == 1


@virtual
async def test_another_version_is_requested() -> None:
    server, bodies = Server(), Bodies()
    await bodies.get("uid", 1, server.ask)
    server.version = 2
    assert await bodies.get("uid", 2, server.ask) == b"body 2"
    assert server.asked == 2


@virtual
async def test_a_failure_of_one_request_is_not_the_failure_of_another() -> None:
    server, bodies = Server(), Bodies()
    server.fails = 1
    found = await asyncio.gather(*(bodies.get("uid", 1, server.ask) for _ in range(3)), return_exceptions=True)
    assert isinstance(found[0], LookupError)
    assert found[1:] == [b"body 1"] * 2
    assert server.asked == 2


@virtual
async def test_the_least_recently_used_body_is_dropped_first() -> None:
    bodies, asked = Bodies(most=25), []

    async def get(uid: str) -> None:
        async def ask() -> tuple[str, int, bytes]:
            asked.append(uid)
            return uid, 1, b"ten bytes."

        await bodies.get(uid, 1, ask)

    for uid in ("a", "b", "a", "c", "a", "b"):
        await get(uid)
    assert asked == ["a", "b", "c", "b"]


@virtual
async def test_a_body_larger_than_the_limit_is_returned_and_not_remembered() -> None:
    server, bodies = Server(), Bodies(most=3)
    for _ in range(2):
        assert await bodies.get("uid", 1, server.ask) == b"body 1"
    assert server.asked == 2


@virtual
async def test_a_cancelled_reader_does_not_block_the_others() -> None:
    server, bodies = Server(), Bodies()
    first = asyncio.ensure_future(bodies.get("uid", 1, server.ask))
    second = asyncio.ensure_future(bodies.get("uid", 1, server.ask))
    await asyncio.sleep(0.5)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == b"body 1"
