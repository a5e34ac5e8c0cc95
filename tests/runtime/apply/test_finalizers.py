"""A finalizer is set in time, taken off when its work is done, and nobody else's is touched on the way."""

import asyncio

import pytest

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.live import Custom
from frappe_operator.runtime.apply.finalizers import ensure_finalizer, remove_finalizer
from frappe_operator.runtime.client.errors import Conflict
from tests.runtime.environment import OWNER, TOY, Environment, an_environment
from tests.runtime.virtual_time import virtual

OURS, THEIRS = "toys.example.com/put-away", "example.com/theirs"


def finalizers(env: Environment) -> list[str]:
    found: list[str] = env.get(TOY, OWNER.name)["metadata"].get("finalizers", [])
    return found


async def going(env: Environment) -> Custom:
    """The owner, while it waits for a finalizer of another's."""
    await env.edit(TOY, OWNER.name, {"metadata": {"finalizers": [THEIRS]}})
    await env.delete(TOY, OWNER.name)
    env.writes()
    return env.owner


@virtual
async def test_it_is_set_once_beside_those_of_others() -> None:
    async with an_environment() as env:
        await env.edit(TOY, OWNER.name, {"metadata": {"finalizers": [THEIRS]}})
        for _ in range(2):
            await ensure_finalizer(env.cluster, TOY, env.owner, OURS)
            await asyncio.sleep(0.1)
        assert env.writes() == ["patch Toy bear"]
        assert finalizers(env) == [THEIRS, OURS]


@virtual
async def test_it_is_too_late_when_the_object_goes() -> None:
    async with an_environment() as env:
        await ensure_finalizer(env.cluster, TOY, await going(env), OURS)
        assert env.writes() == []
        assert finalizers(env) == [THEIRS]


@virtual
async def test_it_is_taken_off_and_those_of_others_stay() -> None:
    async with an_environment() as env:
        await env.edit(TOY, OWNER.name, {"metadata": {"finalizers": [OURS, THEIRS]}})
        await remove_finalizer(env.cluster, TOY, env.owner, OURS)
        assert finalizers(env) == [THEIRS]


@pytest.mark.parametrize("change", [ensure_finalizer, remove_finalizer])
def test_a_finalizer_that_another_controller_added_meanwhile_is_not_lost(change: type) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            before = [OURS] if change is remove_finalizer else []
            await env.edit(TOY, OWNER.name, {"metadata": {"finalizers": before}})
            stale = env.owner
            env.api.merge(Ref(TOY, *OWNER), {"metadata": {"finalizers": [*before, THEIRS]}}, "kubectl")
            with pytest.raises(Conflict):
                await change(env.cluster, TOY, stale, OURS)
            assert finalizers(env) == [*before, THEIRS]

    run()


@virtual
async def test_the_bodies_of_deleted_objects_are_dropped() -> None:
    async with an_environment() as env:
        await env.edit(TOY, OWNER.name, {"metadata": {"finalizers": [OURS]}})
        await env.delete(TOY, OWNER.name)
        known = env.owner
        env.api.merge(Ref(TOY, *OWNER), {"metadata": {"finalizers": []}}, "kubectl")
        await remove_finalizer(env.cluster, TOY, known, OURS)
        assert not env.exists(TOY, OWNER.name)
