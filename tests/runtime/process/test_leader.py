"""One leader at a time, whoever dies and however; and no write by anyone who may not be it any more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from fakecluster.apiserver.server import ApiServer
from fakecluster.apiserver.verbs import START, Api
from frappe_operator.kube.kinds import LEASE, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Headers, Query, Response, StreamResponse, TransportError
from frappe_operator.runtime.process.leader import LEASE_SECONDS, RENEW_SECONDS, SAFE_SECONDS, Fence, Leader, NotLeading
from tests.runtime.environment import a_config
from tests.runtime.virtual_time import virtual


class Line:
    """The network of one process: it can be cut."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.cut = False
        self.hangs = False
        self.slow = 0.0
        """Seconds until an answer comes, after the server has done what was asked."""
        self.deaf = 0
        """Answers that will be lost, after the server has done what was asked."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> Response:
        if self.hangs:
            await asyncio.sleep(timeout)
        if self.cut or self.hangs:
            raise TransportError("cut")
        answer = await self._server.request(method, path, query=query, headers=headers, body=body, timeout=timeout)
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.deaf:
            self.deaf -= 1
            raise TransportError("lost")
        return answer

    def stream(
        self, path: str, *, query: Query | None = None, headers: Headers | None = None, timeout: float
    ) -> AbstractAsyncContextManager[StreamResponse]:
        return self._server.stream(path, query=query, headers=headers, timeout=timeout)


class Candidate:
    """A process that wants to lead."""

    def __init__(self, server: ApiServer, name: str, skew: float = 0.0) -> None:
        self.line = Line(server)
        loop = asyncio.get_running_loop()

        def clock() -> float:
            return START.timestamp() + loop.time() + skew

        self.leader = Leader(Client(self.line), "default", "the-lease", name, clock=clock)
        self.fence = Fence(self.line, self.leader.may_write)
        self.task = asyncio.create_task(self.leader.run())

    @property
    def leads(self) -> bool:
        return self.leader.leading.is_set() and self.leader.may_write()

    def die(self) -> None:
        """As by kill -9."""
        self.task.cancel()

    async def led(self, within: float) -> float:
        """Seconds until it leads. Fails when that takes longer."""
        began = asyncio.get_running_loop().time()
        while not self.leads:
            await asyncio.sleep(0.01)
            if asyncio.get_running_loop().time() - began > within:
                raise AssertionError(f"no leader after {within} s")
        return asyncio.get_running_loop().time() - began


Make = Callable[..., Candidate]


@asynccontextmanager
async def an_election() -> AsyncIterator[tuple[Make, Api]]:
    loop = asyncio.get_running_loop()
    api = Api(loop.time)
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    server = ApiServer(api, lambda: asyncio.sleep(0.01))
    made: list[Candidate] = []

    def make(name: str, skew: float = 0.0) -> Candidate:
        made.append(Candidate(server, name, skew))
        return made[-1]

    try:
        yield make, api
    finally:
        for each in made:
            each.task.cancel()
        await asyncio.gather(*(each.task for each in made), return_exceptions=True)


def lease(api: Api) -> Manifest:
    found: Manifest = api.get(Ref(LEASE, "default", "the-lease")).obj["spec"]
    return found


@virtual
async def test_the_first_one_leads_at_once_and_stays() -> None:
    async with an_election() as (make, api):
        one, two = make("one"), make("two")
        assert await one.led(1) < 0.1
        for _ in range(600):
            await asyncio.sleep(0.1)
            assert one.leads
            assert not two.leads
        assert lease(api)["holderIdentity"] == "one"


@virtual
async def test_when_the_leader_dies_the_other_takes_over_in_time() -> None:
    async with an_election() as (make, api):
        one, two = make("one"), make("two")
        await one.led(1)
        await asyncio.sleep(20)
        one.die()
        assert await two.led(10) <= 6
        assert lease(api)["leaseTransitions"] == 1


@virtual
async def test_when_the_leader_goes_the_other_takes_over_at_once() -> None:
    async with an_election() as (make, _):
        one, two = make("one"), make("two")
        await one.led(1)
        await asyncio.sleep(20)
        one.die()
        await one.leader.release()
        assert not one.leads
        assert await two.led(10) <= 1


@virtual
async def test_a_leader_that_is_cut_off_stops_before_another_can_begin() -> None:
    async with an_election() as (make, _):
        one, two = make("one"), make("two")
        await one.led(1)
        await asyncio.sleep(20)
        one.line.cut = True
        while not two.leads:
            was_leading = one.leads
            await asyncio.sleep(0.01)
            assert not (one.leads and two.leads)
        assert not was_leading
        await asyncio.sleep(5)
        assert one.task.done()
        assert not one.leader.leading.is_set()


@virtual
async def test_a_hanging_request_does_not_prolong_leadership() -> None:
    async with an_election() as (make, _):
        one, two = make("one"), make("two")
        await one.led(1)
        await asyncio.sleep(20)
        one.line.hangs = True
        await two.led(10)
        assert not one.leads


@virtual
async def test_a_slow_answer_makes_the_lease_no_longer() -> None:
    """Others count from when the server wrote it down, which was well before the answer came."""
    async with an_election() as (make, api):
        one = make("one")
        await one.led(1)
        one.line.slow = RENEW_SECONDS - 0.1
        renewed = asyncio.Event()
        api.store.listeners.append(lambda ref, change: renewed.set())
        await renewed.wait()
        await asyncio.sleep(RENEW_SECONDS)
        one.line.cut = True
        await asyncio.sleep(SAFE_SECONDS - RENEW_SECONDS)
        assert not one.leader.may_write()


@virtual
async def test_a_short_interruption_changes_nothing() -> None:
    async with an_election() as (make, _):
        one, two = make("one"), make("two")
        await one.led(1)
        for _ in range(10):
            await asyncio.sleep(10)
            one.line.cut = True
            await asyncio.sleep(SAFE_SECONDS - RENEW_SECONDS - 0.6)
            one.line.cut = False
            assert one.leads
        assert not two.leads


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_clocks_that_are_hours_apart_change_nothing(skew: float) -> None:
    @virtual
    async def run() -> None:
        async with an_election() as (make, _):
            one, two = make("one"), make("two", skew)
            await one.led(1)
            for _ in range(300):
                await asyncio.sleep(0.1)
                assert one.leads
                assert not two.leads
            one.die()
            assert LEASE_SECONDS - RENEW_SECONDS - 0.1 < await two.led(10) <= 6

    run()


@virtual
async def test_a_lease_that_is_given_to_another_by_hand_is_given_up() -> None:
    async with an_election() as (make, api):
        one = make("one")
        await one.led(1)
        api.merge(Ref(LEASE, "default", "the-lease"), {"spec": {"holderIdentity": "someone"}}, "kubectl")
        await asyncio.sleep(RENEW_SECONDS + 0.2)
        assert one.task.done()


@virtual
async def test_the_leader_keeps_a_lease_that_somebody_has_edited() -> None:
    async with an_election() as (make, api):
        one = make("one")
        await one.led(1)
        api.merge(Ref(LEASE, "default", "the-lease"), {"metadata": {"labels": {"a": "b"}}}, "kubectl")
        await asyncio.sleep(20)
        assert one.leads


@virtual
async def test_a_deleted_lease_ends_the_leadership() -> None:
    async with an_election() as (make, api):
        one, two = make("one"), make("two")
        await one.led(1)
        await asyncio.sleep(5)
        api.delete(Ref(LEASE, "default", "the-lease"))
        await two.led(10)
        assert not one.leads


@virtual
async def test_of_many_that_begin_at_once_one_leads() -> None:
    async with an_election() as (make, _):
        all_of_them = [make(f"{number}") for number in range(8)]
        await asyncio.sleep(3)
        assert sum(each.leads for each in all_of_them) == 1


@virtual
async def test_of_many_candidates_for_a_dead_leader_one_leads() -> None:
    """They all see the same Lease run out at the same time."""
    async with an_election() as (make, api):
        dead = make("dead")
        await dead.led(1)
        waiting = [make(f"{number}") for number in range(8)]
        await asyncio.sleep(1)
        dead.die()
        for _ in range(1000):
            await asyncio.sleep(0.01)
            assert sum(each.leads for each in waiting) <= 1
        assert lease(api)["leaseTransitions"] == 1


@virtual
async def test_who_does_not_lead_does_not_write() -> None:
    async with an_election() as (make, _):
        one, two = make("one"), make("two")
        await one.led(1)
        await Client(one.fence).create(a_config("of-one"))
        with pytest.raises(NotLeading):
            await Client(two.fence).create(a_config("of-two"))
        await Client(two.fence).get(LEASE, "default", "the-lease")


@virtual
async def test_an_unreachable_server_at_the_start_is_waited_for() -> None:
    async with an_election() as (make, _):
        one = make("one")
        one.line.cut = True
        await asyncio.sleep(30)
        one.line.cut = False
        await one.led(2)


@virtual
async def test_an_answer_that_never_comes_holds_a_candidate_up_for_moments_only() -> None:
    async with an_election() as (make, _):
        one = make("one")
        one.line.hangs = True
        await asyncio.sleep(3)
        one.line.hangs = False
        await one.led(3)


@virtual
async def test_an_answer_that_is_lost_still_makes_a_leader() -> None:
    async with an_election() as (make, _):
        one = make("one")
        one.line.deaf = 2
        await one.led(3)
