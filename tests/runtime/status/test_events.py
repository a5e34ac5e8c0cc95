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
from tests.runtime.environment import OWNER, TOY, a_bed
from tests.runtime.reporting import NO, STUCK, YES, conditions, events, looked, raising, say, status
from tests.runtime.virtual_time import virtual


@virtual
async def test_one_event_for_each_turn() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO)
        assert events(bed) == []
        await say(bed, One=YES)
        ready = [("Ready", "Normal", "Ready")]
        assert events(bed) == ready
        await say(bed, One=YES)
        assert events(bed) == ready
        await say(bed, One=STUCK)
        trouble = [("One", "Warning", "NameConflict")]
        assert events(bed) == sorted(ready + trouble)
        await say(bed, One=YES)
        assert events(bed) == sorted([*ready, *trouble, *ready])


@virtual
async def test_an_edit_that_is_carried_out_is_no_warning_and_what_goes_by_itself_is_one() -> None:
    on_its_way = Verdict(False, Reason.PODS_NOT_READY, "0 of 1 pods are ready.")
    async with a_bed() as bed:
        await say(bed, One=YES, Two=YES)
        await bed.edit(TOY, OWNER.name, {"spec": {"size": 2}})
        await say(bed, One=on_its_way, Two=Verdict(False, FrappeReason.NOT_ANSWERING, "No answer."))
        await say(bed, One=YES, Two=YES)
        assert events(bed) == [("Ready", "Normal", "Ready"), ("Ready", "Normal", "Ready")]
        await say(bed, One=on_its_way, Two=Verdict(False, FrappeReason.NOT_ANSWERING, "No answer."))
        assert [each for each in events(bed) if each[1] == "Warning"] == [("One", "Warning", "PodsNotReady")]


@virtual
async def test_work_that_an_edit_of_another_object_begins_is_no_warning() -> None:
    async with a_bed() as bed:
        for reason in (Reason.ROLLING_OUT, Reason.JOB_RUNNING):
            await say(bed, One=YES)
            await say(bed, One=Verdict(False, reason, "A new image is rolled out."))
        assert {each[1] for each in events(bed)} == {"Normal"}


@virtual
async def test_what_begins_to_be_needed_is_no_warning() -> None:
    async with a_bed() as bed:
        await say(bed, One=Verdict(True, Reason.NOT_NEEDED, "Not needed."))
        await say(bed, One=NO)
        assert events(bed) == [("Ready", "Normal", "Ready")]


@virtual
async def test_trouble_that_was_told_is_not_told_again_when_it_is_all_that_is_left() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO, Two=NO)
        await say(bed, One=NO, Two=STUCK)
        await say(bed, One=YES, Two=STUCK)
        assert events(bed) == [("Two", "Warning", "NameConflict")]


@virtual
async def test_that_a_step_is_done_is_no_event() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO, Two=NO)
        await say(bed, One=YES, Two=NO)
        assert events(bed) == []


@virtual
async def test_what_is_so_from_the_beginning_is_no_event() -> None:
    async with a_bed() as bed:
        await say(bed, One=YES, Two=NO)
        assert events(bed) == []


@virtual
async def test_the_next_step_on_the_way_is_no_event_but_trouble_is() -> None:
    async with a_bed() as bed:
        for reason in (Reason.WAITING, Reason.JOB_RUNNING, Reason.PODS_NOT_READY):
            await say(bed, One=Verdict(False, reason, "On its way."))
            # Mere words are not written sooner.
            await asyncio.sleep(STATUS_INTERVAL_SECONDS)
        assert status(bed)["conditions"][0]["reason"] == Reason.PODS_NOT_READY
        assert events(bed) == []
        await say(bed, One=Verdict(False, Reason.JOB_RETRYING, "It failed once."))
        assert events(bed) == [("One", "Warning", "JobRetrying")]
        await say(bed, One=YES)
        await say(bed, One=Verdict(False, Reason.PODS_NOT_READY, "A pod is gone."))
        assert ("One", "Warning", "PodsNotReady") in events(bed)


@virtual
async def test_what_the_user_must_do_is_an_event_from_the_beginning() -> None:
    async with a_bed() as bed:
        await looked(bed, raising(Blocked(Reason.INVALID_SPEC, "Write it so.")))
        assert events(bed) == [("Ready", "Warning", "InvalidSpec")]


@virtual
async def test_what_the_user_must_do_is_an_event_while_things_are_under_way() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO)
        await looked(bed, raising(Blocked(Reason.INVALID_SPEC, "Write it so.")), times=2)
        assert events(bed) == [("Ready", "Warning", "InvalidSpec")]


@virtual
async def test_what_a_stage_says_is_not_said_twice() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO)
        await say(bed, One=STUCK)
        assert events(bed) == [("One", "Warning", "NameConflict")]


@virtual
async def test_an_object_that_flaps_does_not_flood_the_server() -> None:
    async with a_bed() as bed:
        for _ in range(50):
            await say(bed, One=YES)
            await say(bed, One=NO)
        assert len(events(bed)) == MOST_AT_ONCE


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
    async with a_bed() as bed:

        def refuse(verb: str, ref: Any, obj: Manifest) -> None:
            if ref.kind == EVENT:
                raise StatusError(403, "Forbidden", "no")

        bed.api.admission.append(refuse)
        await say(bed, One=YES)
        assert conditions(bed)["One"] == ("True", "Ready")
