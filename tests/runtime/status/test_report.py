"""Status: the truth, written when it is news."""

import asyncio

import pytest

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.runtime.client.errors import Conflict
from frappe_operator.runtime.status.report import STATUS_INTERVAL_SECONDS, StatusInterval, report
from tests.runtime.environment import OWNER, TOY, a_bed
from tests.runtime.reporting import NO, STUCK, YES, conditions, ref, say, status
from tests.runtime.virtual_time import virtual


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
            bed.api.merge(ref(), edit, "kubectl")
            # The answer to our own write overtakes the watch, which then has nothing new to tell.
            bed.cluster.put_answer(TOY, bed.api.get(ref()).wire, writer=(TOY, OWNER))
            await asyncio.sleep(1)
            assert bed.looked_at == [OWNER]


@virtual
async def test_an_object_that_turns_up_with_our_own_status_is_looked_at() -> None:
    async with a_bed(leading=True) as bed:
        await asyncio.sleep(1)
        bed.looked_at.clear()
        seen = bed.api.get(ref()).wire
        bed.cluster.cache.stores[TOY].delete(OWNER, bed.owner.metadata.uid, 0)
        bed.cluster.put_answer(TOY, seen, writer=(TOY, OWNER))
        await asyncio.sleep(1)
        assert bed.looked_at == [OWNER]


@virtual
async def test_status_is_only_written_to_the_object_it_is_about() -> None:
    async with a_bed() as bed:
        about = bed.owner
        bed.api.delete(ref())
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
        bed.api.delete(ref())
        await report(bed.cluster, TOY, about, {"One": YES}, {})


@virtual
async def test_a_status_that_is_nonsense_is_replaced() -> None:
    async with a_bed() as bed:
        await bed.edit(TOY, "bear", {"status": {"conditions": "all fine", "x": 1}}, "status")
        await say(bed, One=NO)
        assert conditions(bed)["One"] == ("False", "Provisioning")


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
        assert asyncio.get_running_loop().time() - started == pytest.approx(STATUS_INTERVAL_SECONDS, abs=1)
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


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    pace = StatusInterval()
    pace.written("u", 1000.0)
    assert pace.wait("u", 1004.0) == STATUS_INTERVAL_SECONDS - 4
    assert pace.wait("u", 1000.0 + STATUS_INTERVAL_SECONDS) == 0
    assert pace.wait("u", 500.0) == 0
    assert pace.wait("another", 1000.0) == 0
