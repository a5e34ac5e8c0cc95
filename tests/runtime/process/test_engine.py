"""The engine: what is cached when, who works, and when it ends."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, STORAGE_CLASS
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, owned_by
from frappe_operator.runtime.process.engine import Engine
from tests.runtime.environment import OWNER, TOY, a_config, an_environment, stage
from tests.runtime.scripted_server import HANG, ScriptedServer, added, initial_events_end, refusal
from tests.runtime.virtual_time import virtual

STATES = ("ready", "running", "delayed")


async def nothing(cluster: Cluster, key: Key) -> float | None:
    return None


def nobody(cluster: Cluster, live: Any) -> Sequence[Key]:
    return ()


@virtual
async def test_a_standby_fills_its_caches_and_does_nothing() -> None:
    async with an_environment() as env:
        await env.edit(TOY, "bear", {"spec": {"size": 2}})
        await asyncio.sleep(60)
        assert env.reconciled == []
        assert bytes(env.owner.spec) == b'{"size":2}'
        env.leading.set()
        await asyncio.sleep(1)
        assert env.reconciled == [OWNER]


@virtual
async def test_everything_is_reconciled_once_at_the_start_and_then_what_changes() -> None:
    async with an_environment(leading=True) as env:
        await asyncio.sleep(3600)
        assert env.reconciled == [OWNER]
        await env.edit(TOY, "bear", {"spec": {"size": 2}})
        assert env.reconciled == [OWNER, OWNER]


@virtual
async def test_owners_are_cached_before_children() -> None:
    server = ScriptedServer(rest=[HANG])
    watches: list[Watch[Any]] = [Watch(DEPLOYMENT, owned_by(TOY)), Watch(JOB, owned_by(TOY))]
    paths: list[str] = []
    stream = server.stream

    def told(path: str, **more: Any) -> Any:
        paths.append(path)
        return stream(path, **more)

    server.stream = told  # type: ignore[method-assign]
    server.streams = [[5.0, initial_events_end(3), HANG]]
    engine = Engine(server, [Controller(TOY, nothing, watches)])
    run = asyncio.create_task(engine.run(asyncio.Event()))
    await asyncio.sleep(4)
    assert paths == ["/apis/toys.example.com/v1/toys"]
    await asyncio.sleep(2)
    assert sorted(paths)[:2] == ["/apis/apps/v1/deployments", "/apis/batch/v1/jobs"]
    assert not engine.synced.is_set()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


class ByPath(ScriptedServer):
    """A server with one script for each path."""

    def __init__(self, scripts: dict[str, list[Any]]) -> None:
        super().__init__()
        self.scripts = scripts

    def stream(self, path: str, **more: Any) -> Any:
        scripts = self.scripts.get(path.rsplit("/", 1)[1])
        self.streams = [scripts.pop(0) if len(scripts) > 1 else scripts[0]] if scripts else []
        return super().stream(path, **more)


@virtual
async def test_a_required_kind_that_is_not_installed_does_not_hold_up_other_caches() -> None:
    server = ByPath({"toys": [refusal(404)], "jobs": [[added("a", 3), initial_events_end(5), HANG]]})
    engine = Engine(server, [Controller(TOY, nothing, [Watch(JOB, owned_by(TOY))])])
    run = asyncio.create_task(engine.run(asyncio.Event()))
    await asyncio.sleep(1)
    assert [live.metadata.name for live in engine.cluster.all(JOB)] == ["a"]
    assert not engine.synced.is_set()
    assert engine.cluster.not_installed(TOY) == (
        "Toy (toys.example.com/v1) is not installed in this cluster: "
        "apply the CustomResourceDefinitions of the operator"
    )
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


@virtual
async def test_everything_is_reconciled_again_when_an_optional_kind_is_installed() -> None:
    reconciled: list[bool] = []

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        reconciled.append(cluster.installed(JOB))
        return None

    toys = [added("bear", 3), initial_events_end(5), HANG]
    server = ByPath({"toys": [toys], "jobs": [refusal(404), refusal(404), [initial_events_end(7), HANG]]})
    watch = Watch(JOB, owned_by(TOY), optional=True, install="install the job controller")
    engine = Engine(server, [Controller(TOY, reconcile, [watch])], jitter=lambda: 1.0)
    leading = asyncio.Event()
    leading.set()
    run = asyncio.create_task(engine.run(leading))
    await asyncio.sleep(0.5)
    assert reconciled == [False]
    assert engine.cluster.not_installed(JOB) == (
        "Job (batch/v1) is not installed in this cluster: install the job controller"
    )
    await asyncio.sleep(60)
    assert reconciled == [False, True]
    assert engine.cluster.not_installed(JOB) == ""
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


@virtual
async def test_reconciles_without_requests_let_other_tasks_run() -> None:
    """In the time of a thousand such looks edits are heard and the Lease is renewed."""
    order: list[str] = []
    everything = asyncio.Event()
    toys = [added(f"toy-{number:04}", number + 1) for number in range(1000)]

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        order.append("look")
        if order.count("look") == len(toys):
            everything.set()
        return None

    async def somebody_else() -> None:
        while True:
            order.append("turn")
            await asyncio.sleep(0)

    engine = Engine(ScriptedServer([[*toys, initial_events_end(2000), HANG]]), [Controller(TOY, reconcile)])
    leading = asyncio.Event()
    run = asyncio.create_task(engine.run(leading))
    await engine.synced.wait()
    other = asyncio.create_task(somebody_else())
    leading.set()
    await everything.wait()
    looks = [len(each) for each in "".join(each[0] for each in order).split("t")]
    assert max(looks) == 1
    for task in (run, other):
        task.cancel()
    await asyncio.gather(run, other, return_exceptions=True)


@virtual
async def test_with_namespaces_only_those_are_watched() -> None:
    paths: set[str] = set()

    class Told(ScriptedServer):
        def stream(self, path: str, **more: Any) -> Any:
            paths.add(path)
            self.rest = refusal(403) if "storageclasses" in path else [initial_events_end(3), HANG]
            return super().stream(path, **more)

    watches: list[Watch[Any]] = [Watch(CONFIG_MAP, owned_by(TOY)), Watch(STORAGE_CLASS, nobody)]
    engine = Engine(Told(), [Controller(TOY, nothing, watches)], namespaces=["red", "blue"])
    run = asyncio.create_task(engine.run(asyncio.Event()))
    async with asyncio.timeout(5):
        await engine.synced.wait()
    assert paths == {
        "/apis/toys.example.com/v1/namespaces/red/toys",
        "/apis/toys.example.com/v1/namespaces/blue/toys",
        "/api/v1/namespaces/red/configmaps",
        "/api/v1/namespaces/blue/configmaps",
        "/apis/storage.k8s.io/v1/storageclasses",
    }
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def _running(seconds: float) -> tuple[Engine, list[str]]:
    """An engine at work on one object for so long."""
    said: list[str] = []

    async def slow(cluster: Cluster, key: Key) -> float | None:
        said.append("began")
        await asyncio.sleep(seconds)
        said.append("ended")
        return None

    engine = Engine(ScriptedServer([[added("a", 2), initial_events_end(3), HANG]]), [Controller(TOY, slow)])
    leading = asyncio.Event()
    leading.set()
    task = asyncio.create_task(engine.run(leading))
    engine.cluster.keep = task  # type: ignore[attr-defined]
    await asyncio.sleep(1)
    assert said == ["began"]
    return engine, said


@virtual
async def test_before_it_goes_what_is_being_done_is_finished() -> None:
    engine, said = await _running(1.3)
    engine.queues[TOY].add(Key("ns", "another"))
    await asyncio.sleep(0.1)
    await engine.drain(5)
    assert said.count("ended") == said.count("began") == 2
    assert asyncio.get_running_loop().time() < 3
    engine.queues[TOY].add(Key("ns", "third"))
    await asyncio.sleep(10)
    assert said.count("began") == 2


@virtual
async def test_what_takes_too_long_is_dropped_when_it_goes() -> None:
    engine, said = await _running(100)
    began = asyncio.get_running_loop().time()
    await engine.drain(0.4)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.4)
    assert "ended" not in said


@virtual
async def test_the_metrics_show_requests_reconciles_and_queues() -> None:
    async with an_environment(leading=True) as env:
        await env.apply(stage(a_config()))
        await asyncio.sleep(5)
        env.engine.measure()
        value = env.engine.metrics.registry.get_sample_value
        labels = {"kind": "ConfigMap"}
        requests = {**labels, "verb": "apply", "status": "201"}
        assert value("frappe_operator_requests_total", requests) == 1
        assert value("frappe_operator_objects", labels) == 1
        assert value("frappe_operator_watch_age_seconds", {**labels, "namespace": ""}) is not None
        looked = {"kind": "Toy", "outcome": "done"}
        assert value("frappe_operator_reconcile_seconds_count", looked) == len(env.reconciled)
        env.engine.queues[TOY].add_after(OWNER, 10)
        env.engine.measure()
        keys = {state: value("frappe_operator_queue_keys", {"kind": "Toy", "state": state}) for state in STATES}
        assert keys == {"ready": 0, "running": 0, "delayed": 1}
