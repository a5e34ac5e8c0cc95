"""Events: trouble that comes and goes, and readiness."""

import asyncio
from typing import Any

from fakecluster.apiserver.errors import StatusError
from frappe_operator.kube.kinds import EVENT
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked, Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.runtime.status.events import MOST_AT_ONCE, REFILL_SECONDS, EventBudget
from frappe_operator.runtime.status.report import STATUS_INTERVAL_SECONDS
from tests.runtime.environment import OWNER, TOY, an_environment
from tests.runtime.reporting import NO, STUCK, YES, conditions, events, raising, reconcile_with, report_verdicts, status
from tests.runtime.virtual_time import virtual


@virtual
async def test_one_event_for_each_transition() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO)
        assert events(env) == []
        await report_verdicts(env, One=YES)
        ready = [("Ready", "Normal", "Ready")]
        assert events(env) == ready
        await report_verdicts(env, One=YES)
        assert events(env) == ready
        await report_verdicts(env, One=STUCK)
        trouble = [("One", "Warning", "NameConflict")]
        assert events(env) == sorted(ready + trouble)
        await report_verdicts(env, One=YES)
        assert events(env) == sorted([*ready, *trouble, *ready])


@virtual
async def test_an_edit_that_is_carried_out_is_no_warning_and_what_goes_by_itself_is_one() -> None:
    on_its_way = Verdict(False, Reason.PODS_NOT_READY, "0 of 1 pods are ready.")
    async with an_environment() as env:
        await report_verdicts(env, One=YES, Two=YES)
        await env.edit(TOY, OWNER.name, {"spec": {"size": 2}})
        await report_verdicts(env, One=on_its_way, Two=Verdict(False, FrappeReason.NOT_ANSWERING, "No answer."))
        await report_verdicts(env, One=YES, Two=YES)
        assert events(env) == [("Ready", "Normal", "Ready"), ("Ready", "Normal", "Ready")]
        await report_verdicts(env, One=on_its_way, Two=Verdict(False, FrappeReason.NOT_ANSWERING, "No answer."))
        assert [each for each in events(env) if each[1] == "Warning"] == [("One", "Warning", "PodsNotReady")]


@virtual
async def test_work_that_an_edit_of_another_object_begins_is_no_warning() -> None:
    async with an_environment() as env:
        for reason in (Reason.ROLLING_OUT, Reason.JOB_RUNNING):
            await report_verdicts(env, One=YES)
            await report_verdicts(env, One=Verdict(False, reason, "A new image is rolled out."))
        assert {each[1] for each in events(env)} == {"Normal"}


@virtual
async def test_what_begins_to_be_needed_is_no_warning() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=Verdict(True, Reason.NOT_NEEDED, "Not needed."))
        await report_verdicts(env, One=NO)
        assert events(env) == [("Ready", "Normal", "Ready")]


@virtual
async def test_a_reported_problem_is_not_reported_again_when_it_is_the_last_one() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO, Two=NO)
        await report_verdicts(env, One=NO, Two=STUCK)
        await report_verdicts(env, One=YES, Two=STUCK)
        assert events(env) == [("Two", "Warning", "NameConflict")]


@virtual
async def test_that_a_step_is_done_is_no_event() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO, Two=NO)
        await report_verdicts(env, One=YES, Two=NO)
        assert events(env) == []


@virtual
async def test_what_is_so_from_the_beginning_is_no_event() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=YES, Two=NO)
        assert events(env) == []


@virtual
async def test_progress_is_no_event_but_a_problem_is() -> None:
    async with an_environment() as env:
        for reason in (Reason.WAITING, Reason.JOB_RUNNING, Reason.PODS_NOT_READY):
            await report_verdicts(env, One=Verdict(False, reason, "On its way."))
            # Mere words are not written sooner.
            await asyncio.sleep(STATUS_INTERVAL_SECONDS)
        assert status(env)["conditions"][0]["reason"] == Reason.PODS_NOT_READY
        assert events(env) == []
        await report_verdicts(env, One=Verdict(False, Reason.JOB_RETRYING, "It failed once."))
        assert events(env) == [("One", "Warning", "JobRetrying")]
        await report_verdicts(env, One=YES)
        await report_verdicts(env, One=Verdict(False, Reason.PODS_NOT_READY, "A pod is gone."))
        assert ("One", "Warning", "PodsNotReady") in events(env)


@virtual
async def test_what_the_user_must_do_is_an_event_from_the_beginning() -> None:
    async with an_environment() as env:
        await reconcile_with(env, raising(Blocked(Reason.INVALID_SPEC, "Write it so.")))
        assert events(env) == [("Ready", "Warning", "InvalidSpec")]


@virtual
async def test_what_the_user_must_do_is_an_event_while_things_are_under_way() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO)
        await reconcile_with(env, raising(Blocked(Reason.INVALID_SPEC, "Write it so.")), times=2)
        assert events(env) == [("Ready", "Warning", "InvalidSpec")]


@virtual
async def test_a_stage_and_ready_make_one_event() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO)
        await report_verdicts(env, One=STUCK)
        assert events(env) == [("One", "Warning", "NameConflict")]


@virtual
async def test_an_object_that_flaps_does_not_flood_the_server() -> None:
    async with an_environment() as env:
        for _ in range(50):
            await report_verdicts(env, One=YES)
            await report_verdicts(env, One=NO)
        assert len(events(env)) == MOST_AT_ONCE


def test_after_a_while_there_may_be_another_event() -> None:
    budget = EventBudget()
    taken = [budget.take("u", 0.0) for _ in range(MOST_AT_ONCE + 3)]
    assert taken.count(True) == MOST_AT_ONCE
    assert not budget.take("u", REFILL_SECONDS / 2)
    assert budget.take("u", REFILL_SECONDS * 1.1)
    assert not budget.take("u", REFILL_SECONDS * 1.2)
    assert budget.take("another", REFILL_SECONDS * 1.2)


@virtual
async def test_an_event_that_cannot_be_written_stands_in_nobodys_way() -> None:
    async with an_environment() as env:

        def refuse(verb: str, ref: Any, obj: Manifest) -> None:
            if ref.kind == EVENT:
                raise StatusError(403, "Forbidden", "no")

        env.api.admission.append(refuse)
        await report_verdicts(env, One=YES)
        assert conditions(env)["One"] == ("True", "Ready")
