"""What becomes of trouble in a reconcile."""

import asyncio

import pytest

from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked, Undecided, Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.runtime.client.errors import ApiError, Conflict
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.queue.reconcile import FAILURES_BEFORE_REPORT, UNDECIDED_REQUEUE_SECONDS
from tests.runtime.environment import OWNER, TOY, an_environment
from tests.runtime.reporting import YES, conditions, raising, reconcile_with, report_verdicts, status
from tests.runtime.virtual_time import virtual


@virtual
async def test_blocked_leaves_the_conditions_of_stages_as_they_were() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=YES)
        outcome = await reconcile_with(env, raising(Blocked(Reason.INVALID_SPEC, "Write it so.")))
        assert outcome == "undecided"
        assert conditions(env) == {
            "One": ("True", "Ready"),
            "Ready": ("False", "InvalidSpec"),
            "Reconciling": ("False", "InvalidSpec"),
            "Stalled": ("True", "InvalidSpec"),
        }
        assert status(env)["phase"] == "Failed"
        assert env.engine.queues[TOY].failures(OWNER) == 0


@virtual
async def test_a_blocked_object_is_requeued_after_a_minute_and_its_status_written_once() -> None:
    async with an_environment() as env:
        await reconcile_with(env, raising(Blocked(Reason.SECRET_NOT_FOUND, "Make it.")), times=1)
        env.writes()
        started = asyncio.get_running_loop().time()
        assert await env.engine.queues[TOY].take() == OWNER
        assert asyncio.get_running_loop().time() - started == pytest.approx(UNDECIDED_REQUEUE_SECONDS, abs=1)
        await reconcile_with(env, raising(Blocked(Reason.SECRET_NOT_FOUND, "Make it.")), times=3)
        assert env.writes() == []


@virtual
async def test_waiting_is_not_stalled() -> None:
    async with an_environment() as env:
        await reconcile_with(env, raising(Undecided(Verdict(False, FrappeReason.BENCH_NOT_READY, "It comes."))))
        assert conditions(env)["Stalled"] == ("False", "BenchNotReady")
        assert conditions(env)["Reconciling"] == ("True", "BenchNotReady")


@pytest.mark.parametrize(
    "error", [ApiError(500, "InternalError", "etcd"), TransportError("reset"), Conflict(409, "Conflict", "modified")]
)
def test_a_transient_failure_is_reported_only_when_it_lasts(error: Exception) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            await report_verdicts(env, One=YES)
            assert await reconcile_with(env, raising(error), times=FAILURES_BEFORE_REPORT - 1) == "retried"
            assert conditions(env)["Ready"] == ("True", "Ready")
            await reconcile_with(env, raising(error))
            assert conditions(env)["Ready"] == ("False", "ReconcileError")

    run()


@virtual
async def test_a_permanent_failure_is_reported_at_once() -> None:
    async with an_environment() as env:
        await reconcile_with(env, raising(ApiError(403, "Forbidden", "cannot list secrets")))
        assert conditions(env)["Ready"] == ("False", "ReconcileError")
        assert "cannot list secrets" in status(env)["conditions"][0]["message"]


@virtual
async def test_an_unexpected_exception_is_reported_without_its_message() -> None:
    async with an_environment() as env:
        assert await reconcile_with(env, raising(KeyError("password canary"))) == "failed"
        assert conditions(env)["Ready"] == ("False", "ReconcileError")
        assert "canary" not in str(status(env))
        assert "KeyError" in str(status(env))
        assert env.engine.queues[TOY].failures(OWNER) == 1


@virtual
async def test_retry_after_sets_the_shortest_backoff() -> None:
    async with an_environment() as env:
        await reconcile_with(env, raising(ApiError(429, "TooManyRequests", "busy", retry_after=33)))
        started = asyncio.get_running_loop().time()
        await env.engine.queues[TOY].take()
        assert asyncio.get_running_loop().time() - started >= 32


@virtual
async def test_a_reconcile_that_never_ends_is_given_up() -> None:
    async def never() -> float | None:
        await asyncio.get_running_loop().create_future()
        return None

    async with an_environment() as env:
        assert await reconcile_with(env, never) == "failed"


@virtual
async def test_success_after_failures_starts_counting_afresh() -> None:
    async def fine() -> float | None:
        return 5.0

    async with an_environment() as env:
        queue = env.engine.queues[TOY]
        await reconcile_with(env, raising(TransportError("reset")), times=3)
        assert queue.failures(OWNER) == 3
        assert await reconcile_with(env, fine) == "done"
        assert queue.failures(OWNER) == 0
        assert queue.delayed == 1
