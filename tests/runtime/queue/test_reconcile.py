"""What becomes of trouble in a reconcile."""

import asyncio

import pytest

from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked, Waiting
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.runtime.client.errors import ApiError, Conflict
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.queue.reconcile import FAILURES_BEFORE_REPORT, UNDECIDED_REQUEUE_SECONDS
from tests.runtime.environment import OWNER, TOY, a_bed
from tests.runtime.reporting import YES, conditions, looked, raising, say, status
from tests.runtime.virtual_time import virtual


@virtual
async def test_blocked_is_said_with_the_stages_as_they_were_last_seen() -> None:
    async with a_bed() as bed:
        await say(bed, One=YES)
        outcome = await looked(bed, raising(Blocked(Reason.INVALID_SPEC, "Write it so.")))
        assert outcome == "undecided"
        assert conditions(bed) == {
            "One": ("True", "Ready"),
            "Ready": ("False", "InvalidSpec"),
            "Reconciling": ("False", "InvalidSpec"),
            "Stalled": ("True", "InvalidSpec"),
        }
        assert status(bed)["phase"] == "Failed"
        assert bed.engine.queues[TOY].failures(OWNER) == 0


@virtual
async def test_blocked_is_looked_at_again_in_a_minute_and_written_once() -> None:
    async with a_bed() as bed:
        await looked(bed, raising(Blocked(Reason.SECRET_NOT_FOUND, "Make it.")), times=1)
        bed.writes()
        started = asyncio.get_running_loop().time()
        assert await bed.engine.queues[TOY].take() == OWNER
        assert asyncio.get_running_loop().time() - started == pytest.approx(UNDECIDED_REQUEUE_SECONDS, abs=1)
        await looked(bed, raising(Blocked(Reason.SECRET_NOT_FOUND, "Make it.")), times=3)
        assert bed.writes() == []


@virtual
async def test_waiting_is_not_stalled() -> None:
    async with a_bed() as bed:
        await looked(bed, raising(Waiting(FrappeReason.BENCH_NOT_READY, "It comes.")))
        assert conditions(bed)["Stalled"] == ("False", "BenchNotReady")
        assert conditions(bed)["Reconciling"] == ("True", "BenchNotReady")


@pytest.mark.parametrize(
    "error", [ApiError(500, "InternalError", "etcd"), TransportError("reset"), Conflict(409, "Conflict", "modified")]
)
def test_passing_trouble_is_said_only_when_it_lasts(error: Exception) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            await say(bed, One=YES)
            assert await looked(bed, raising(error), times=FAILURES_BEFORE_REPORT - 1) == "retried"
            assert conditions(bed)["Ready"] == ("True", "Ready")
            await looked(bed, raising(error))
            assert conditions(bed)["Ready"] == ("False", "ReconcileError")

    run()


@virtual
async def test_trouble_that_will_not_pass_is_said_at_once() -> None:
    async with a_bed() as bed:
        await looked(bed, raising(ApiError(403, "Forbidden", "cannot list secrets")))
        assert conditions(bed)["Ready"] == ("False", "ReconcileError")
        assert "cannot list secrets" in status(bed)["conditions"][0]["message"]


@virtual
async def test_a_mistake_of_ours_is_said_without_its_words() -> None:
    async with a_bed() as bed:
        assert await looked(bed, raising(KeyError("password canary"))) == "failed"
        assert conditions(bed)["Ready"] == ("False", "ReconcileError")
        assert "canary" not in str(status(bed))
        assert "KeyError" in str(status(bed))
        assert bed.engine.queues[TOY].failures(OWNER) == 1


@virtual
async def test_the_server_says_how_long_to_wait() -> None:
    async with a_bed() as bed:
        await looked(bed, raising(ApiError(429, "TooManyRequests", "busy", retry_after=33)))
        started = asyncio.get_running_loop().time()
        await bed.engine.queues[TOY].take()
        assert asyncio.get_running_loop().time() - started >= 32


@virtual
async def test_a_reconcile_that_never_ends_is_given_up() -> None:
    async def never() -> float | None:
        await asyncio.get_running_loop().create_future()
        return None

    async with a_bed() as bed:
        assert await looked(bed, never) == "failed"


@virtual
async def test_success_after_failures_starts_counting_afresh() -> None:
    async def fine() -> float | None:
        return 5.0

    async with a_bed() as bed:
        queue = bed.engine.queues[TOY]
        await looked(bed, raising(TransportError("reset")), times=3)
        assert queue.failures(OWNER) == 3
        assert await looked(bed, fine) == "done"
        assert queue.failures(OWNER) == 0
        assert queue.delayed == 1
