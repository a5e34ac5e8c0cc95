"""The clock of the virtual time: it always reaches the moment that is waited for."""

import asyncio
import math

from fakecluster.virtual_time import VirtualLoop


def test_whoever_waits_until_a_moment_gets_there_however_near_it_is() -> None:
    """A timer that is due within the resolution of asyncio's clock is called before its time. A clock that did not move
    with it would keep everybody waiting who then waits for the rest."""
    loop = VirtualLoop()
    moment = 14.174381656610057

    async def waits() -> int:
        await asyncio.sleep(math.nextafter(moment, 0) - loop.time())
        turns = 0
        while loop.time() < moment and turns < 5:
            # With something to do at once, a loop passes no time before it looks for what is due.
            other = asyncio.ensure_future(asyncio.Event().wait())
            await asyncio.wait([other], timeout=moment - loop.time())
            other.cancel()
            turns += 1
        return turns

    try:
        assert loop.drive(waits()) <= 1
        assert loop.time() >= moment
    finally:
        loop.finish()
