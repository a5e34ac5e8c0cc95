"""An edit goes first; of everything else one step is made in each turn of the loop."""

import asyncio

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Response
from frappe_operator.runtime.queue.step_scheduler import HEAD_START_SECONDS, StepScheduler
from tests.runtime.scripted_server import ScriptedServer
from tests.runtime.virtual_time import virtual


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_nothing_begins_beside_an_edit_until_it_is_done() -> None:
    turns, order = StepScheduler(), []

    async def other() -> None:
        await turns.step()
        order.append("other")

    async def edit() -> None:
        with turns.urgent():
            await asyncio.sleep(HEAD_START_SECONDS / 2)
            order.append("edit")

    await asyncio.gather(edit(), *(other() for _ in range(3)))
    assert order == ["edit", *3 * ["other"]]
    assert now() == pytest.approx(HEAD_START_SECONDS / 2, abs=1e-6)


@virtual
async def test_an_edit_that_takes_long_does_not_stop_the_others() -> None:
    turns = StepScheduler()

    async def edit() -> None:
        with turns.urgent():
            await asyncio.sleep(1000 * HEAD_START_SECONDS)

    slow = asyncio.create_task(edit())
    await asyncio.sleep(0)
    for _ in range(3):
        await turns.step()
    assert now() == pytest.approx(HEAD_START_SECONDS, abs=1e-6)
    slow.cancel()


@virtual
async def test_endless_edits_leave_the_others_a_step_now_and_then() -> None:
    turns = StepScheduler()

    async def edits() -> None:
        while True:
            with turns.urgent():
                await asyncio.sleep(HEAD_START_SECONDS / 3)

    endless = [asyncio.create_task(edits()) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(10):
        await turns.step()
    assert now() <= 11 * HEAD_START_SECONDS
    for each in endless:
        each.cancel()


@virtual
async def test_a_step_of_an_edit_does_not_wait() -> None:
    turns = StepScheduler()
    with turns.urgent():
        await asyncio.gather(turns.step(), turns.step())
        assert now() == pytest.approx(0, abs=1e-6)


@virtual
async def test_with_one_edit_left_there_still_is_one() -> None:
    turns = StepScheduler()

    async def edit(seconds: float) -> None:
        with turns.urgent():
            await asyncio.sleep(seconds)

    edits = [asyncio.create_task(edit(part * HEAD_START_SECONDS)) for part in (0.25, 0.5)]
    await asyncio.sleep(0)
    await turns.step()
    assert now() == pytest.approx(0.5 * HEAD_START_SECONDS, abs=1e-6)
    await asyncio.gather(*edits)


@virtual
async def test_each_request_waits_for_its_step() -> None:
    turns = StepScheduler()
    server = ScriptedServer(answers=[Response(200, {}, b"{}")])
    client = Client(server, step=turns.step)

    async def edit() -> None:
        with turns.urgent():
            await asyncio.sleep(HEAD_START_SECONDS / 2)
            assert server.asked == []

    await asyncio.gather(edit(), client.get(CONFIG_MAP, "ns", "a"))
    assert len(server.asked) == 1
