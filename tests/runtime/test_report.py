"""Status: the truth, written when it is news; an Event when it turns; and what becomes of trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from frappe_operator.kube.kinds import EVENT, Key, Manifest, Ref
from frappe_operator.kube.stage import Blocked, Reason, Verdict, Waiting
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.errors import ApiError, Conflict
from frappe_operator.runtime.event_budget import MOST_AT_ONCE, REFILL_SECONDS, Budget
from frappe_operator.runtime.look import PATIENCE, UNDECIDED_AGAIN_SECONDS, look
from frappe_operator.runtime.pace import PACE_SECONDS, Pace
from frappe_operator.runtime.report import report
from frappe_operator.runtime.transport import TransportError
from tests.runtime.bed import OWNER, TOY, Bed, a_bed
from tests.runtime.virtual import virtual
from tests.world.refusals import Refused

YES = Verdict(True, Reason.READY, "There.")
NO = Verdict(False, Reason.PROVISIONING, "Not yet.")
STUCK = Verdict(False, Reason.NAME_CONFLICT, "Do something.", blocked=True)


async def say(bed: Bed, extra: dict[str, Any] | None = None, **verdicts: Verdict) -> None:
    await report(bed.cluster, TOY, bed.owner, verdicts, extra or {})
    await asyncio.sleep(0.1)


def status(bed: Bed) -> Manifest:
    found: Manifest = bed.get(TOY, OWNER.name).get("status", {})
    return found


def conditions(bed: Bed) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status(bed)["conditions"]}


def events(bed: Bed) -> list[tuple[str, str, str]]:
    found = [record.obj for record in bed.api.store.list(EVENT)]
    return sorted((each["action"], each["type"], each["reason"]) for each in found)


@virtual
async def test_verdicts_become_conditions() -> None:
    async with a_bed() as bed:
        await say(bed, {"size": 3}, One=YES, Two=NO)
        assert conditions(bed) == {
            "One": ("True", "Ready"),
            "Two": ("False", "Provisioning"),
            "Ready": ("False", "Provisioning"),
            "Reconciling": ("True", "Provisioning"),
            "Stalled": ("False", "Provisioning"),
        }
        assert (status(bed)["phase"], status(bed)["size"]) == ("Provisioning", 3)
        assert status(bed)["observedGeneration"] == 1


@virtual
async def test_what_is_no_news_is_not_written() -> None:
    async with a_bed() as bed:
        await say(bed, {"size": 3, "gone": None}, One=YES, Two=NO)
        bed.writes()
        await asyncio.sleep(3600)
        await say(bed, {"size": 3, "gone": None}, One=YES, Two=NO)
        assert bed.writes() == []


@virtual
async def test_the_time_of_a_turn_is_kept_until_the_next() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO)
        first = status(bed)["conditions"][0]["lastTransitionTime"]
        await asyncio.sleep(100)
        await say(bed, One=NO._replace(message="Nearly."))
        assert status(bed)["conditions"][0]["message"] == "Nearly."
        assert status(bed)["conditions"][0]["lastTransitionTime"] == first
        await say(bed, One=YES)
        assert status(bed)["conditions"][0]["lastTransitionTime"] > first


@virtual
async def test_a_field_is_removed_by_none_and_others_stay() -> None:
    async with a_bed() as bed:
        await say(bed, {"size": 3, "colour": "red"}, One=YES)
        await say(bed, {"size": None}, One=YES)
        assert "size" not in status(bed)
        assert status(bed)["colour"] == "red"


@virtual
async def test_our_own_status_does_not_have_us_look_again() -> None:
    async with a_bed(leading=True) as bed:
        await asyncio.sleep(1)
        bed.looked_at.clear()
        await say(bed, One=NO)
        await say(bed, One=YES)
        assert bed.looked_at == []


@virtual
async def test_what_somebody_did_meanwhile_is_looked_at_though_it_comes_with_our_own_status() -> None:
    edits: list[Manifest] = [{"spec": {"size": 9}}, {"metadata": {"annotations": {"a": "b"}}}]
    for edit in edits:
        async with a_bed(leading=True) as bed:
            await asyncio.sleep(1)
            bed.looked_at.clear()
            bed.api.merge(_ref(), edit, "kubectl")
            # The answer to our own write overtakes the watch, which then has nothing new to tell.
            bed.cluster.note(TOY, bed.api.get(_ref()).wire, by=(TOY, OWNER))
            await asyncio.sleep(1)
            assert bed.looked_at == [OWNER]


@virtual
async def test_status_is_only_written_to_the_object_it_is_about() -> None:
    async with a_bed() as bed:
        about = bed.owner
        bed.api.delete(_ref())
        bed.api.create(
            {"apiVersion": TOY.api_version, "kind": "Toy", "metadata": {"name": "bear", "namespace": "default"}}
        )
        with pytest.raises(Conflict):
            await report(bed.cluster, TOY, about, {"One": YES}, {})
        assert status(bed) == {}


@virtual
async def test_what_is_said_is_said_of_the_generation_that_was_looked_at() -> None:
    async with a_bed() as bed:
        about = bed.owner
        await bed.edit(TOY, OWNER.name, {"spec": {"size": 2}})
        assert bed.owner.metadata.generation == 2
        await report(bed.cluster, TOY, about, {"One": YES}, {})
        observed = {each["type"]: each["observedGeneration"] for each in status(bed)["conditions"]}
        assert {*observed.values(), status(bed)["observedGeneration"]} == {1}


@virtual
async def test_there_is_nobody_to_tell_when_the_object_is_gone() -> None:
    async with a_bed() as bed:
        about = bed.owner
        bed.api.delete(_ref())
        await report(bed.cluster, TOY, about, {"One": YES}, {})


@virtual
async def test_a_status_that_is_nonsense_is_replaced() -> None:
    async with a_bed() as bed:
        await bed.edit(TOY, "bear", {"status": {"conditions": "all fine", "x": 1}}, "status")
        await say(bed, One=NO)
        assert conditions(bed)["One"] == ("False", "Provisioning")


def _ref() -> Ref:
    return Ref(TOY, *OWNER)


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
        trouble = [("One", "Warning", "NameConflict"), ("Ready", "Warning", "NameConflict")]
        assert events(bed) == sorted(ready + trouble)
        await say(bed, One=YES)
        assert events(bed) == sorted([*ready, *trouble, *ready, ("One", "Normal", "Ready")])


@virtual
async def test_that_a_step_is_done_is_no_event() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO, Two=NO)
        await say(bed, One=YES, Two=NO)
        assert events(bed) == []


@virtual
async def test_mere_words_are_written_seldom_and_the_last_ones_are_not_lost() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO)
        bed.writes()
        for number in range(5):
            await say(bed, One=NO._replace(message=f"Waits for {number}"))
        assert bed.writes() == []
        started = asyncio.get_running_loop().time()
        assert await bed.engine.queues[TOY].take() == OWNER, "somebody must come back to say it"
        assert asyncio.get_running_loop().time() - started == pytest.approx(PACE_SECONDS, abs=1)
        await say(bed, One=NO._replace(message="Waits for 4"))
        assert status(bed)["conditions"][0]["message"] == "Waits for 4"


@virtual
async def test_which_step_of_a_stage_is_under_way_is_mere_words() -> None:
    async with a_bed() as bed:
        await say(bed, One=NO)
        bed.writes()
        await say(bed, One=Verdict(False, Reason.JOB_RUNNING, "A Job runs."))
        assert bed.writes() == []
        await say(bed, One=STUCK)
        assert conditions(bed)["One"] == ("False", Reason.NAME_CONFLICT)


@virtual
async def test_what_the_user_waits_for_is_said_at_once() -> None:
    async with a_bed() as bed:
        await say(bed, One=STUCK)
        await say(bed, One=STUCK._replace(message="Another thing is wrong."))
        assert status(bed)["conditions"][0]["message"] == "Another thing is wrong."


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
            await asyncio.sleep(PACE_SECONDS)
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
    budget = Budget()
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
                raise Refused(403, "Forbidden", "no")

        bed.api.admission.append(refuse)
        await say(bed, One=YES)
        assert conditions(bed)["One"] == ("True", "Ready")


async def looked(bed: Bed, reconcile: Callable[[], Awaitable[float | None]], times: int = 1) -> str:
    async def ask(cluster: object, key: Key) -> float | None:
        return await reconcile()

    outcome = ""
    queue = bed.engine.queues[TOY]
    for _ in range(times):
        outcome = await look(bed.cluster, Controller(TOY, ask), queue, OWNER)
        await asyncio.sleep(0.1)
    return outcome


def raising(error: Exception) -> Callable[[], Awaitable[float | None]]:
    async def reconcile() -> float | None:
        raise error

    return reconcile


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
        assert asyncio.get_running_loop().time() - started == pytest.approx(UNDECIDED_AGAIN_SECONDS, abs=1)
        await looked(bed, raising(Blocked(Reason.SECRET_NOT_FOUND, "Make it.")), times=3)
        assert bed.writes() == []


@virtual
async def test_waiting_is_not_stalled() -> None:
    async with a_bed() as bed:
        await looked(bed, raising(Waiting(Reason.BENCH_NOT_READY, "It comes.")))
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
            assert await looked(bed, raising(error), times=PATIENCE - 1) == "retried"
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


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    pace = Pace()
    pace.spoke("u", 1000.0)
    assert pace.wait("u", 1004.0) == PACE_SECONDS - 4
    assert pace.wait("u", 1000.0 + PACE_SECONDS) == 0
    assert pace.wait("u", 500.0) == 0
    assert pace.wait("another", 1000.0) == 0
