"""What is made once: Secrets and Jobs."""

import asyncio

import pytest

from frappe_operator.kube.kinds import JOB, SECRET, Ref
from frappe_operator.kube.objects import Key
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.runtime.client.errors import Conflict
from tests.runtime.environment import (
    NS,
    OWNER,
    Environment,
    a_config,
    a_job,
    a_secret,
    an_environment,
    stage,
)
from tests.runtime.virtual_time import virtual

UNKNOWN = Verdict(False, Reason.WAITING, "not known yet")


@virtual
async def test_a_generated_secret_is_created_once_and_never_again() -> None:
    async with an_environment() as env:
        await env.apply(stage(once=[a_secret("first")]))
        first = env.get(SECRET, "bear-key")["data"]
        await env.apply(stage(once=[a_secret("second")]))
        await env.edit(SECRET, "bear-key", {"data": {"key": "dGhlaXJz"}})
        await env.apply(stage(once=[a_secret("third")]))
        assert env.get(SECRET, "bear-key")["data"] == {"key": "dGhlaXJz"} != first


@virtual
async def test_a_secret_whose_creation_was_not_answered_is_not_created_again() -> None:
    async with an_environment() as env:
        await env.apply(stage(once=[a_secret("first")]))
        first = env.get(SECRET, "bear-key")
        env.cluster.cache.stores[SECRET].delete(Key(NS, "bear-key"), first["metadata"]["uid"], 0)
        await env.apply(stage(once=[a_secret("second")]))
        assert env.get(SECRET, "bear-key") == first


@virtual
async def test_a_secret_is_compared_as_it_is_stored() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_secret("one")))
        env.writes()
        item = env.cluster.cache.stores[SECRET].all()
        assert len(item) == 1
        await env.edit(SECRET, "bear-key", {"metadata": {"annotations": {"x": "y"}}})
        await env.apply(stage(a_secret("one")))
        assert env.writes() == []
        await env.apply(stage(a_secret("two")))
        assert env.get(SECRET, "bear-key")["data"] == {"key": "dHdv"}


def _finish(env: Environment) -> None:
    conditions = [
        {"type": "SuccessCriteriaMet", "status": "True"},
        {"type": "Complete", "status": "True"},
    ]
    status = {"succeeded": 1, "startTime": env.api.now(), "completionTime": env.api.now(), "conditions": conditions}
    env.api.merge(Ref(JOB, NS, "bear-job"), {"status": status}, "kube-controller-manager", "status")


@virtual
async def test_an_unfinished_job_starts_again_when_its_inputs_change() -> None:
    async with an_environment() as env:
        await env.apply(stage(once=[a_job("one")]))
        first = env.get(JOB, "bear-job")["metadata"]["uid"]
        await env.apply(stage(once=[a_job("one")]))
        assert env.get(JOB, "bear-job")["metadata"]["uid"] == first
        done = await env.apply(stage(once=[a_job("two")]))
        assert done.verdicts["Ready1"].reason == Reason.JOB_RUNNING
        await env.apply(stage(once=[a_job("two")]))
        job = env.get(JOB, "bear-job")
        assert job["metadata"]["uid"] != first
        assert job["metadata"]["annotations"]["vyogo.tech/inputs"] == "two"


@pytest.mark.parametrize("known", [True, False])
def test_a_job_that_has_succeeded_is_never_touched_even_before_we_know(known: bool) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            await env.apply(stage(once=[a_job("one")]))
            _finish(env)
            if known:
                await asyncio.sleep(1)
            before = env.get(JOB, "bear-job")
            env.writes()
            await env.apply(stage(once=[a_job("two")]))
            await env.apply(stage(once=[a_job("two")]))
            assert env.writes() == []
            assert env.get(JOB, "bear-job") == before

    run()


@virtual
async def test_a_job_that_succeeds_while_it_is_to_start_again_stays() -> None:
    async with an_environment() as env:
        await env.apply(stage(once=[a_job("one")]))
        env.before_next("delete", lambda: _finish(env))
        with pytest.raises(Conflict):
            await env.apply(stage(once=[a_job("two")]))
        assert env.get(JOB, "bear-job")["metadata"]["annotations"]["vyogo.tech/inputs"] == "one"


@virtual
async def test_a_job_about_to_succeed_is_no_change_and_a_succeeded_one_is() -> None:
    async with an_environment(leading=True) as env:
        await env.apply(stage(once=[a_job("one")]))
        await asyncio.sleep(1)
        env.reconciled.clear()
        await env.edit(
            JOB, "bear-job", {"status": {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}}, "status"
        )
        assert env.reconciled == []
        _finish(env)
        await asyncio.sleep(0.1)
        assert env.reconciled == [OWNER]


@virtual
async def test_a_job_does_not_start_again_before_what_it_waits_for_is_known() -> None:
    """Its inputs cannot be compared: a watch that is behind shows the Job without the Secret that it works with."""
    async with an_environment() as env:
        ready, waits = stage(a_config()), stage(once=[a_job("one")], name="Ready2")
        await env.apply(ready, waits)
        await env.apply(ready, waits)
        first = env.get(JOB, "bear-job")["metadata"]["uid"]
        changed = stage(once=[a_job("two")], name="Ready2")
        await env.apply(ready._replace(ready=lambda _: UNKNOWN), changed)
        assert env.get(JOB, "bear-job")["metadata"]["uid"] == first
        await env.apply(ready, changed)
        await env.apply(ready, changed)
        assert env.get(JOB, "bear-job")["metadata"]["uid"] != first
