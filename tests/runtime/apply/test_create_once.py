"""What is made once: Secrets and Jobs."""

import asyncio

import pytest

from frappe_operator.kube.kinds import JOB, SECRET, Ref
from frappe_operator.kube.objects import Key
from frappe_operator.kube.reasons import Reason
from frappe_operator.runtime.client.errors import Conflict
from tests.runtime.environment import (
    NS,
    OWNER,
    Bed,
    a_bed,
    a_job,
    a_secret,
    stage,
)
from tests.runtime.virtual_time import virtual


@virtual
async def test_a_secret_is_made_once_and_never_again() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_secret("first")]))
        first = bed.get(SECRET, "bear-key")["data"]
        await bed.apply(stage(once=[a_secret("second")]))
        await bed.edit(SECRET, "bear-key", {"data": {"key": "dGhlaXJz"}})
        await bed.apply(stage(once=[a_secret("third")]))
        assert bed.get(SECRET, "bear-key")["data"] == {"key": "dGhlaXJz"} != first


@virtual
async def test_a_secret_whose_creation_was_not_heard_of_is_not_made_again() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_secret("first")]))
        first = bed.get(SECRET, "bear-key")
        bed.cluster.cache.stores[SECRET].delete(Key(NS, "bear-key"), first["metadata"]["uid"], 0)
        await bed.apply(stage(once=[a_secret("second")]))
        assert bed.get(SECRET, "bear-key") == first


@virtual
async def test_a_secret_that_is_kept_right_is_compared_as_it_is_stored() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_secret("one")))
        bed.writes()
        item = bed.cluster.cache.stores[SECRET].all()
        assert len(item) == 1
        await bed.edit(SECRET, "bear-key", {"metadata": {"annotations": {"x": "y"}}})
        await bed.apply(stage(a_secret("one")))
        assert bed.writes() == []
        await bed.apply(stage(a_secret("two")))
        assert bed.get(SECRET, "bear-key")["data"] == {"key": "dHdv"}


def _finish(bed: Bed) -> None:
    conditions = [
        {"type": "SuccessCriteriaMet", "status": "True"},
        {"type": "Complete", "status": "True"},
    ]
    status = {"succeeded": 1, "startTime": bed.api.now(), "completionTime": bed.api.now(), "conditions": conditions}
    bed.api.merge(Ref(JOB, NS, "bear-job"), {"status": status}, "kube-controller-manager", "status")


@virtual
async def test_an_unfinished_job_starts_again_when_its_inputs_change() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_job("one")]))
        first = bed.get(JOB, "bear-job")["metadata"]["uid"]
        await bed.apply(stage(once=[a_job("one")]))
        assert bed.get(JOB, "bear-job")["metadata"]["uid"] == first
        done = await bed.apply(stage(once=[a_job("two")]))
        assert done.verdicts["Ready1"].reason == Reason.JOB_RUNNING
        await bed.apply(stage(once=[a_job("two")]))
        job = bed.get(JOB, "bear-job")
        assert job["metadata"]["uid"] != first
        assert job["metadata"]["annotations"]["vyogo.tech/inputs"] == "two"


@pytest.mark.parametrize("known", [True, False])
def test_a_job_that_has_succeeded_is_never_touched_even_before_we_know(known: bool) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            await bed.apply(stage(once=[a_job("one")]))
            _finish(bed)
            if known:
                await asyncio.sleep(1)
            before = bed.get(JOB, "bear-job")
            bed.writes()
            await bed.apply(stage(once=[a_job("two")]))
            await bed.apply(stage(once=[a_job("two")]))
            assert bed.writes() == []
            assert bed.get(JOB, "bear-job") == before

    run()


@virtual
async def test_a_job_that_succeeds_while_it_is_to_start_again_stays() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_job("one")]))
        bed.before_next("delete", lambda: _finish(bed))
        with pytest.raises(Conflict):
            await bed.apply(stage(once=[a_job("two")]))
        assert bed.get(JOB, "bear-job")["metadata"]["annotations"]["vyogo.tech/inputs"] == "one"


@virtual
async def test_that_a_job_is_about_to_succeed_is_no_news_and_that_it_has_is() -> None:
    async with a_bed(leading=True) as bed:
        await bed.apply(stage(once=[a_job("one")]))
        await asyncio.sleep(1)
        bed.looked_at.clear()
        await bed.edit(
            JOB, "bear-job", {"status": {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}}, "status"
        )
        assert bed.looked_at == []
        _finish(bed)
        await asyncio.sleep(0.1)
        assert bed.looked_at == [OWNER]
