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
    Environment,
    a_config,
    a_deployment,
    a_secret,
    an_environment,
    stage,
)
from tests.runtime.virtual_time import virtual


def refuse(env: Environment, name: str, code: int, reason: str, message: str = "no") -> list[str]:
    """The API server refuses writes of one object; what it refused comes back."""
    refused: list[str] = []

    def admission(verb: str, ref: Any, obj: Manifest) -> None:
        if ref.name == name:
            refused.append(verb)
            raise StatusError(code, reason, message)

    env.api.admission.append(admission)
    return refused


@pytest.mark.parametrize(
    ("code", "word", "reason"),
    [(422, "Invalid", Reason.REJECTED), (403, "Forbidden", Reason.FORBIDDEN), (400, "BadRequest", Reason.REJECTED)],
)
def test_a_refused_child_is_reported_and_holds_up_nothing_else(code: int, word: str, reason: Reason) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            refused = refuse(env, "bear-config", code, word, "it is too big")
            stages = [stage(a_config(), a_config("bear-other"), name="One"), stage(name="Two")]
            done = await env.apply(*stages)
            assert done.verdicts["One"] == Verdict(False, reason, "ConfigMap bear-config: it is too big", blocked=True)
            assert env.exists(CONFIG_MAP, "bear-other")
            await env.apply(*stages)
            assert refused == ["apply"], "the same thing is not asked again at every turn"
            env.api.admission.clear()
            done = await env.apply(stage(a_config(size="2"), a_config("bear-other"), name="One"))
            assert done.verdicts["One"].ok

    run()


@virtual
async def test_a_refused_write_is_repeated_after_a_while() -> None:
    async with an_environment() as env:
        refuse(env, "bear-config", 403, "Forbidden", "exceeded quota")
        await env.apply(stage(a_config()))
        env.api.admission.clear()
        assert env.engine.queues[TOY].delayed == 1
        await asyncio.sleep(61)
        done = await env.apply(stage(a_config()))
        assert done.verdicts["Ready1"].ok


@virtual
async def test_the_message_of_a_refused_secret_is_not_shown() -> None:
    async with an_environment() as env:
        refuse(env, "bear-key", 422, "Invalid", "data[key]: Invalid value: canary")
        done = await env.apply(stage(once=[a_secret("canary")]))
        assert "canary" not in done.verdicts["Ready1"].message


@virtual
async def test_a_retriable_failure_is_raised_after_all_children_were_attempted() -> None:
    async with an_environment() as env:
        refuse(env, "bear-config", 500, "InternalError")
        await env.apply(stage(a_deployment(), name="Two"))
        await env.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        with pytest.raises(ApiError):
            await env.apply(stage(a_config(), a_config("bear-other"), name="One"), stage(a_deployment(), name="Two"))
        assert env.exists(CONFIG_MAP, "bear-other")
        assert env.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1


@virtual
async def test_what_could_not_be_written_is_read_again_only_when_it_has_changed() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config(size="1")))
        refuse(env, "bear-config", 500, "InternalError")
        env.requests()
        for _ in range(3):
            with pytest.raises(ApiError):
                await env.apply(stage(a_config(size="2")))
        assert env.requests() == ["get ConfigMap bear-config", *3 * ["apply ConfigMap bear-config"]]
        env.api.admission.clear()
        await env.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        env.requests()
        await env.apply(stage(a_config(size="2")))
        assert env.requests() == ["get ConfigMap bear-config"]


@virtual
async def test_a_pass_that_fails_leaves_nothing_to_the_garbage_collector() -> None:
    """Thousands of failing objects would have it stop everything else several times a second."""
    async with an_environment() as env:
        refuse(env, "bear-config", 500, "InternalError")

        async def fail(times: int) -> None:
            for _ in range(times):
                with contextlib.suppress(ApiError):
                    await env.apply(stage(a_config(), a_deployment()))

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
    async with an_environment() as env:

        def insist(verb: str, ref: Any, obj: Manifest) -> None:
            if ref.kind == CONFIG_MAP:
                obj["data"] = {"size": "insisted"}

        env.api.admission.append(insist)
        await env.apply(stage(a_config(size="1")))
        env.writes()
        for _ in range(3):
            await env.apply(stage(a_config(size="1")))
        assert env.writes() == []
