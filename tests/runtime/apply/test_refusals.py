"""What the API server will not have, and what fails on the way: said, tried again, and no obstacle to the rest."""

import asyncio
import contextlib
import gc
from typing import Any

import pytest

from fakecluster.apiserver.errors import StatusError
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.runtime.client.errors import ApiError
from tests.runtime.environment import (
    TOY,
    Bed,
    a_bed,
    a_config,
    a_deployment,
    a_secret,
    stage,
)
from tests.runtime.virtual_time import virtual


def refuse(bed: Bed, name: str, code: int, reason: str, message: str = "no") -> list[str]:
    """The API server refuses writes of one object; what it refused comes back."""
    refused: list[str] = []

    def admission(verb: str, ref: Any, obj: Manifest) -> None:
        if ref.name == name:
            refused.append(verb)
            raise StatusError(code, reason, message)

    bed.api.admission.append(admission)
    return refused


@pytest.mark.parametrize(
    ("code", "word", "reason"),
    [(422, "Invalid", Reason.REJECTED), (403, "Forbidden", Reason.FORBIDDEN), (400, "BadRequest", Reason.REJECTED)],
)
def test_a_refused_child_says_so_and_stops_nothing_else(code: int, word: str, reason: Reason) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            refused = refuse(bed, "bear-config", code, word, "it is too big")
            stages = [stage(a_config(), a_config("bear-other"), name="One"), stage(name="Two")]
            done = await bed.apply(*stages)
            assert done.verdicts["One"] == Verdict(False, reason, "ConfigMap bear-config: it is too big", blocked=True)
            assert bed.exists(CONFIG_MAP, "bear-other")
            await bed.apply(*stages)
            assert refused == ["apply"], "the same thing is not asked again at every turn"
            bed.api.admission.clear()
            done = await bed.apply(stage(a_config(size="2"), a_config("bear-other"), name="One"))
            assert done.verdicts["One"].ok

    run()


@virtual
async def test_what_is_refused_is_asked_again_after_a_while() -> None:
    async with a_bed() as bed:
        refuse(bed, "bear-config", 403, "Forbidden", "exceeded quota")
        await bed.apply(stage(a_config()))
        bed.api.admission.clear()
        assert bed.engine.queues[TOY].delayed == 1
        await asyncio.sleep(61)
        done = await bed.apply(stage(a_config()))
        assert done.verdicts["Ready1"].ok


@virtual
async def test_nothing_of_a_refused_secret_is_told() -> None:
    async with a_bed() as bed:
        refuse(bed, "bear-key", 422, "Invalid", "data[key]: Invalid value: canary")
        done = await bed.apply(stage(once=[a_secret("canary")]))
        assert "canary" not in done.verdicts["Ready1"].message


@virtual
async def test_what_trying_again_may_mend_is_raised_after_everything_else_was_done() -> None:
    async with a_bed() as bed:
        refuse(bed, "bear-config", 500, "InternalError")
        await bed.apply(stage(a_deployment(), name="Two"))
        await bed.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        with pytest.raises(ApiError):
            await bed.apply(stage(a_config(), a_config("bear-other"), name="One"), stage(a_deployment(), name="Two"))
        assert bed.exists(CONFIG_MAP, "bear-other")
        assert bed.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1


@virtual
async def test_what_could_not_be_written_is_read_again_only_when_it_has_changed() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config(size="1")))
        refuse(bed, "bear-config", 500, "InternalError")
        bed.requests()
        for _ in range(3):
            with pytest.raises(ApiError):
                await bed.apply(stage(a_config(size="2")))
        assert bed.requests() == ["get ConfigMap bear-config", *3 * ["apply ConfigMap bear-config"]]
        bed.api.admission.clear()
        await bed.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        bed.requests()
        await bed.apply(stage(a_config(size="2")))
        assert bed.requests() == ["get ConfigMap bear-config"]


@virtual
async def test_a_pass_that_fails_leaves_nothing_to_the_garbage_collector() -> None:
    """Thousands of failing objects would have it stop everything else several times a second."""
    async with a_bed() as bed:
        refuse(bed, "bear-config", 500, "InternalError")

        async def fail(times: int) -> None:
            for _ in range(times):
                with contextlib.suppress(ApiError):
                    await bed.apply(stage(a_config(), a_deployment()))

        await fail(2)
        gc.collect()
        gc.disable()
        try:
            await fail(20)
            # One that is kept is dozens of objects.
            assert gc.collect() < 20
        finally:
            gc.enable()


@virtual
async def test_where_a_policy_insists_on_its_own_value_there_is_no_endless_quarrel() -> None:
    async with a_bed() as bed:

        def insist(verb: str, ref: Any, obj: Manifest) -> None:
            if ref.kind == CONFIG_MAP:
                obj["data"] = {"size": "insisted"}

        bed.api.admission.append(insist)
        await bed.apply(stage(a_config(size="1")))
        bed.writes()
        for _ in range(3):
            await bed.apply(stage(a_config(size="1")))
        assert bed.writes() == []
