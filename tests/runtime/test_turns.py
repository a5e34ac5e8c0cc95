"""An edit goes first; everything else begins once in each turn of the loop."""

import asyncio

from frappe_operator.runtime.turns import HEAD_START_SECONDS, Turns
from tests.runtime.virtual import virtual


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_nothing_begins_beside_an_edit_until_it_is_done() -> None:
    turns, order = Turns(), []

    async def other() -> None:
        await turns.mine()
        order.append("other")

    with turns.edit():
        waiting = [asyncio.create_task(other()) for _ in range(3)]
        await asyncio.sleep(HEAD_START_SECONDS / 2)
        order.append("edit")
    await asyncio.gather(*waiting)
    assert order == ["edit", *3 * ["other"]]
    assert now() == HEAD_START_SECONDS / 2


@virtual
async def test_an_edit_that_takes_long_does_not_stop_the_others() -> None:
    turns = Turns()
    with turns.edit(), turns.edit():
        await turns.mine()
        await turns.mine()
        assert now() == 2 * HEAD_START_SECONDS


@virtual
async def test_with_one_edit_left_there_still_is_one() -> None:
    turns = Turns()
    with turns.edit():
        with turns.edit():
            pass
        await turns.mine()
        assert now() == HEAD_START_SECONDS
    await turns.mine()
    assert now() == HEAD_START_SECONDS
