"""The number of replicas of a Deployment changes hands without a moment with another number."""

from typing import Any

import pytest

from frappe_operator.kube.kinds import DEPLOYMENT, HPA, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.apply.replicas import KEEPER
from frappe_operator.runtime.client.errors import ApiError, Conflict
from tests.runtime.environment import NS, Environment, a_deployment, an_environment, child, stage
from tests.runtime.virtual_time import virtual

WEB = Ref(DEPLOYMENT, NS, "bear-web")


def by_spec(replicas: int, **more: Any) -> Manifest:
    return a_deployment(replicas=replicas, **more)


def by_autoscaler(**more: Any) -> Manifest:
    manifest = a_deployment(**more)
    del manifest["spec"]["replicas"]
    return manifest


def an_autoscaler() -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "bear-web"}
    return child(HPA, "bear-web", spec={"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9})


def watched(env: Environment) -> list[int]:
    """The numbers of replicas that the Deployment has had since the call, one after the other."""
    found: list[int] = []

    def notice(ref: Ref, change: Any) -> None:
        if ref == WEB and change.record is not None:
            replicas = change.record.obj["spec"]["replicas"]
            found.extend([replicas] if found[-1:] != [replicas] else [])

    env.api.store.listeners.append(notice)
    return found


def scaled(env: Environment, replicas: int) -> None:
    """The autoscaler sets a number."""
    env.api.merge(WEB, {"spec": {"replicas": replicas}}, "kube-controller-manager", "scale")


def owners(env: Environment) -> set[str]:
    """The field managers that own the number."""
    entries = env.get(DEPLOYMENT, "bear-web")["metadata"]["managedFields"]
    return {each["manager"] for each in entries if "f:replicas" in each["fieldsV1"].get("f:spec", {})}


@virtual
async def test_the_number_stays_when_an_autoscaler_takes_over() -> None:
    async with an_environment() as env:
        await env.apply(stage(by_spec(3)))
        numbers = watched(env)
        env.writes()
        await env.apply(stage(by_autoscaler(), an_autoscaler()))
        assert env.writes() == [
            "apply Deployment bear-web",
            "apply Deployment bear-web",
            "apply HorizontalPodAutoscaler bear-web",
        ]
        assert numbers == [3]
        assert owners(env) == {KEEPER}
        scaled(env, 5)
        assert owners(env) == {"kube-controller-manager"}
        await env.apply(stage(by_autoscaler(container={"image": "y"}), an_autoscaler()))
        env.writes()
        await env.apply(stage(by_autoscaler(container={"image": "y"}), an_autoscaler()))
        assert env.writes() == []
        assert numbers == [3, 5]


@virtual
async def test_the_number_is_taken_back_by_force() -> None:
    async with an_environment() as env:
        await env.apply(stage(by_autoscaler(), an_autoscaler()))
        scaled(env, 5)
        numbers = watched(env)
        await env.apply(stage(by_autoscaler()))
        assert not env.exists(HPA, "bear-web")
        await env.apply(stage(by_spec(4)))
        assert owners(env) == {"frappe-operator"}
        await env.apply(stage(by_autoscaler(), an_autoscaler()))
        await env.apply(stage(by_spec(4)))
        await env.apply(stage(by_spec(2)))
        assert [number for number in numbers if number != 5] == [4, 2]


@virtual
async def test_a_change_by_the_autoscaler_meanwhile_is_not_undone() -> None:
    async with an_environment() as env:
        await env.apply(stage(by_spec(3)))
        numbers = watched(env)
        env.before_next("apply", lambda: scaled(env, 6))
        with pytest.raises(Conflict):
            await env.apply(stage(by_autoscaler(), an_autoscaler()))
        await env.apply(stage(by_autoscaler(), an_autoscaler()))
        assert numbers == [6]
        assert owners(env) == {"kube-controller-manager"}


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_hand_over_that_is_interrupted_anywhere_is_completed(writes: int) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            await env.apply(stage(by_spec(3)))
            numbers = watched(env)
            send, left = env.cluster.client.apply, [writes]

            async def failing(*arguments: Any, **more: Any) -> bytes:
                if left[0] == 0:
                    raise ApiError(500, "InternalError", "the server has ended")
                left[0] -= 1
                return await send(*arguments, **more)

            env.cluster.client.apply = failing  # type: ignore[method-assign]
            with pytest.raises(ApiError):
                await env.apply(stage(by_autoscaler(), an_autoscaler()))
            env.cluster.client.apply = send  # type: ignore[method-assign]
            async with an_environment(after=env) as second:
                await second.apply(stage(by_autoscaler(), an_autoscaler()))
                await second.apply(stage(by_autoscaler(), an_autoscaler()))
                assert second.exists(HPA, "bear-web")
                assert owners(second) == {KEEPER}
            assert set(numbers) <= {3}

    run()


@virtual
async def test_the_number_of_a_deployment_that_never_had_another_owner_is_not_touched() -> None:
    async with an_environment() as env:
        await env.apply(stage(by_autoscaler()))
        scaled(env, 7)
        env.writes()
        await env.apply(stage(by_autoscaler(container={"image": "y"})))
        assert env.writes() == ["apply Deployment bear-web"]
        assert env.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 7
