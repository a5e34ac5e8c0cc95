"""Status: the truth, written when it is news."""

import asyncio

import pytest

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.runtime.client.errors import Conflict
from frappe_operator.runtime.status.report import STATUS_INTERVAL_SECONDS, StatusInterval, report
from tests.runtime.environment import OWNER, TOY, an_environment
from tests.runtime.reporting import NO, STUCK, YES, conditions, ref, report_verdicts, status
from tests.runtime.virtual_time import virtual


@virtual
async def test_verdicts_become_conditions() -> None:
    async with an_environment() as env:
        await report_verdicts(env, {"size": 3}, One=YES, Two=NO)
        assert conditions(env) == {
            "One": ("True", "Ready"),
            "Two": ("False", "Provisioning"),
            "Ready": ("False", "Provisioning"),
            "Reconciling": ("True", "Provisioning"),
            "Stalled": ("False", "Provisioning"),
        }
        assert (status(env)["phase"], status(env)["size"]) == ("Provisioning", 3)
        assert status(env)["observedGeneration"] == 1


@virtual
async def test_an_unchanged_status_is_not_written() -> None:
    async with an_environment() as env:
        extra = {"size": 3, "gone": None, "apps": ("frappe",), "made": [{"of": ("frappe",)}]}
        await report_verdicts(env, extra, One=YES, Two=NO)
        env.writes()
        await asyncio.sleep(3600)
        await report_verdicts(env, extra, One=YES, Two=NO)
        assert env.writes() == []


@virtual
async def test_the_transition_time_changes_only_with_the_status() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO)
        first = status(env)["conditions"][0]["lastTransitionTime"]
        await asyncio.sleep(100)
        await report_verdicts(env, One=NO._replace(message="Nearly."))
        assert status(env)["conditions"][0]["message"] == "Nearly."
        assert status(env)["conditions"][0]["lastTransitionTime"] == first
        await report_verdicts(env, One=YES)
        assert status(env)["conditions"][0]["lastTransitionTime"] > first


@virtual
async def test_a_field_is_removed_by_none_and_others_stay() -> None:
    async with an_environment() as env:
        await report_verdicts(env, {"size": 3, "colour": "red"}, One=YES)
        await report_verdicts(env, {"size": None}, One=YES)
        assert "size" not in status(env)
        assert status(env)["colour"] == "red"


@virtual
async def test_a_status_write_does_not_requeue_its_writer() -> None:
    async with an_environment(leading=True) as env:
        await asyncio.sleep(1)
        env.reconciled.clear()
        await report_verdicts(env, One=NO)
        await report_verdicts(env, One=YES)
        assert env.reconciled == []


@virtual
async def test_an_edit_in_the_answer_to_a_status_write_is_reconciled() -> None:
    edits: list[Manifest] = [{"spec": {"size": 9}}, {"metadata": {"annotations": {"a": "b"}}}]
    for edit in edits:
        async with an_environment(leading=True) as env:
            await asyncio.sleep(1)
            env.reconciled.clear()
            env.api.merge(ref(), edit, "kubectl")
            # The answer to our own write overtakes the watch, which then has nothing new to tell.
            env.cluster.put_answer(TOY, env.api.get(ref()).wire, writer=(TOY, OWNER))
            await asyncio.sleep(1)
            assert env.reconciled == [OWNER]


@virtual
async def test_an_object_that_appears_with_the_answer_to_a_status_write_is_reconciled() -> None:
    async with an_environment(leading=True) as env:
        await asyncio.sleep(1)
        env.reconciled.clear()
        seen = env.api.get(ref()).wire
        env.cluster.cache.stores[TOY].delete(OWNER, env.owner.metadata.uid, 0)
        env.cluster.put_answer(TOY, seen, writer=(TOY, OWNER))
        await asyncio.sleep(1)
        assert env.reconciled == [OWNER]


@virtual
async def test_status_is_only_written_to_the_object_it_is_about() -> None:
    async with an_environment() as env:
        about = env.owner
        env.api.delete(ref())
        env.api.create(
            {"apiVersion": TOY.api_version, "kind": "Toy", "metadata": {"name": "bear", "namespace": "default"}}
        )
        with pytest.raises(Conflict):
            await report(env.cluster, TOY, about, {"One": YES}, {})
        assert status(env) == {}


@virtual
async def test_conditions_have_the_reconciled_generation() -> None:
    async with an_environment() as env:
        about = env.owner
        await env.edit(TOY, OWNER.name, {"spec": {"size": 2}})
        assert env.owner.metadata.generation == 2
        await report(env.cluster, TOY, about, {"One": YES}, {})
        observed = {each["type"]: each["observedGeneration"] for each in status(env)["conditions"]}
        assert {*observed.values(), status(env)["observedGeneration"]} == {1}


@virtual
async def test_a_status_write_to_a_deleted_object_is_no_error() -> None:
    async with an_environment() as env:
        about = env.owner
        env.api.delete(ref())
        await report(env.cluster, TOY, about, {"One": YES}, {})


@virtual
async def test_a_status_that_is_nonsense_is_replaced() -> None:
    async with an_environment() as env:
        await env.edit(TOY, "bear", {"status": {"conditions": "all fine", "x": 1}}, "status")
        await report_verdicts(env, One=NO)
        assert conditions(env)["One"] == ("False", "Provisioning")


@virtual
async def test_progress_messages_are_written_seldom_and_the_last_is_not_lost() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO)
        env.writes()
        for number in range(5):
            await report_verdicts(env, One=NO._replace(message=f"Waits for {number}"))
        assert env.writes() == []
        started = asyncio.get_running_loop().time()
        assert await env.engine.queues[TOY].take() == OWNER, "somebody must come back to say it"
        assert asyncio.get_running_loop().time() - started == pytest.approx(STATUS_INTERVAL_SECONDS, abs=1)
        await report_verdicts(env, One=NO._replace(message="Waits for 4"))
        assert status(env)["conditions"][0]["message"] == "Waits for 4"


@virtual
async def test_a_step_of_a_stage_is_a_progress_message() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=NO)
        env.writes()
        await report_verdicts(env, One=Verdict(False, Reason.JOB_RUNNING, "A Job runs."))
        assert env.writes() == []
        await report_verdicts(env, One=STUCK)
        assert conditions(env)["One"] == ("False", Reason.NAME_CONFLICT)


@virtual
async def test_a_status_change_that_matters_is_written_at_once() -> None:
    async with an_environment() as env:
        await report_verdicts(env, One=STUCK)
        await report_verdicts(env, One=STUCK._replace(message="Another thing is wrong."))
        assert status(env)["conditions"][0]["message"] == "Another thing is wrong."


def test_a_clock_that_is_set_back_does_not_hold_up_the_status() -> None:
    pace = StatusInterval()
    pace.written("u", 1000.0)
    assert pace.wait("u", 1004.0) == STATUS_INTERVAL_SECONDS - 4
    assert pace.wait("u", 1000.0 + STATUS_INTERVAL_SECONDS) == 0
    assert pace.wait("u", 500.0) == 0
    assert pace.wait("another", 1000.0) == 0
