"""The engine and the cluster it shows: what is known, who is told, who works, and when it ends."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, STORAGE_CLASS, KindOf
from frappe_operator.kube.live import Custom, Live, Meta, pairs
from frappe_operator.kube.names import OURS
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.cache import Cache, matches
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Response
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, cached_kinds, owned_by
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.queue.handlers import EventHandlers
from frappe_operator.runtime.queue.queue import Priority
from tests.runtime.environment import NS, OWNER, TOY, a_config, a_deployment, a_job, a_secret, an_environment, stage
from tests.runtime.scripted_server import HANG, ScriptedServer, added, an_object, initial_events_end, refusal
from tests.runtime.virtual_time import virtual

STATES = ("ready", "running", "delayed")


async def nothing(cluster: Cluster, key: Key) -> float | None:
    return None


OTHER = KindOf("toys.example.com", "v1", "OtherToy", "othertoys", Custom)


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
async def test_an_edit_is_more_urgent_than_a_child() -> None:
    async with an_environment() as env:
        urgent: list[Priority] = []
        env.engine.handlers._enqueue = lambda kind, key, priority: urgent.append(priority)
        env.engine.handlers.start(env.cluster)
        await env.edit(TOY, "bear", {"spec": {"size": 2}})
        await env.edit(TOY, "bear", {"status": {"x": 1}}, "status")
        await env.apply(stage(a_config()))
        await env.edit(CONFIG_MAP, "bear-config", {"data": {"a": "changed"}})
        assert urgent == [Priority.EDIT, Priority.EVENT, Priority.EVENT]


@virtual
async def test_the_creation_of_a_child_does_not_requeue_its_writer_but_a_later_change_does() -> None:
    async with an_environment(leading=True) as env:
        await asyncio.sleep(1)
        env.reconciled.clear()
        await env.apply(stage(a_config(), a_deployment(), once=[a_secret()]))
        await asyncio.sleep(1)
        assert env.reconciled == []
        await env.edit(DEPLOYMENT, "bear-web", {"status": {"readyReplicas": 1}}, "status")
        assert env.reconciled == [OWNER]


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


def test_controllers_share_the_cache_of_a_kind() -> None:
    one = Controller(TOY, nothing, [Watch(JOB, owned_by(TOY), OURS, indices={"a": lambda live: ["x"]})])
    other = Controller(OTHER, nothing, [Watch(JOB, nobody, OURS, indices={"b": lambda live: ["y"]})])
    shared = cached_kinds([one, other])
    assert [each.kind for each in shared] == [TOY, OTHER, JOB]
    assert set(shared[-1].indices) == {"a", "b"}


@pytest.mark.parametrize(
    "other",
    [
        Watch(JOB, nobody, OURS, fields="metadata.name=x"),
        Watch(JOB, nobody),
        Watch(JOB, nobody, OURS, metadata_only=True),
        Watch(JOB, nobody, OURS, indices={"a": lambda live: []}),
    ],
)
def test_watches_of_a_kind_that_cache_different_things_are_an_error(other: Watch[Any]) -> None:
    one = Controller(TOY, nothing, [Watch(JOB, nobody, OURS, indices={"a": lambda live: ["x"]})])
    with pytest.raises(ValueError, match="Job"):
        cached_kinds([one, Controller(OTHER, nothing, [other])])


@virtual
async def test_a_body_is_requested_once_and_again_after_a_change() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        env.requests()
        for _ in range(3):
            body = await env.cluster.body(CONFIG_MAP, NS, "bear-config")
            assert body is not None
            assert body["data"] == {"size": "1"}
        assert env.requests() == ["get ConfigMap bear-config"]
        await env.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        body = await env.cluster.body(CONFIG_MAP, NS, "bear-config")
        assert body is not None
        assert body["data"] == {"size": "2"}
        assert env.requests() == ["get ConfigMap bear-config"]


@virtual
async def test_an_uncached_object_has_no_body_and_costs_no_request() -> None:
    async with an_environment() as env:
        assert await env.cluster.body(CONFIG_MAP, NS, "none") is None
        assert env.requests() == []


@virtual
async def test_a_read_is_always_fresh() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        env.requests()
        for _ in range(2):
            assert await env.cluster.read(CONFIG_MAP, NS, "bear-config") is not None
        assert await env.cluster.read(CONFIG_MAP, NS, "none") is None
        assert len(env.requests()) == 3


@virtual
async def test_a_list_can_be_narrowed() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        ours = await env.cluster.list(CONFIG_MAP, NS, OURS)
        assert [each["metadata"]["name"] for each in ours] == ["bear-config"]
        assert await env.cluster.list(CONFIG_MAP, "elsewhere") == []


@virtual
async def test_a_write_is_cached_at_once() -> None:
    async with an_environment() as env:
        live = await env.cluster.apply(a_config())
        known = env.cluster.get(CONFIG_MAP, NS, "bear-config")
        assert known is not None
        assert known.metadata.uid == live.metadata.uid
        await env.cluster.delete(CONFIG_MAP, NS, "bear-config", live.metadata.uid)
        assert env.cluster.get(CONFIG_MAP, NS, "bear-config") is None
        await env.cluster.delete(CONFIG_MAP, NS, "bear-config", live.metadata.uid)


@virtual
@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [({}, []), ({"generation": 2}, [Priority.EDIT]), ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, [Priority.EDIT])],
)
async def test_an_edit_in_the_answer_to_a_write_requeues_its_writer(meanwhile, told) -> None:
    # The watch is behind: when it tells of the edit, that is known already and no news.
    toy = {**an_object("bear", 5, namespace=NS, metadata={"generation": 1}), "kind": "Toy"}
    after = {**toy, "metadata": {**toy["metadata"], "resourceVersion": "7", **meanwhile}, "status": {"x": 1}}
    server = ScriptedServer(answers=[Response(200, {}, json.dumps(after).encode())])
    urgent: list[Priority] = []
    controllers = [Controller(TOY, nothing)]
    handlers = EventHandlers(controllers, lambda kind, key, priority: urgent.append(priority))
    cluster = Cluster(
        Client(server),
        Cache(cached_kinds(controllers)),
        changed=handlers.changed,
        requeue=lambda kind, key, seconds: None,
        clock=lambda: 0.0,
    )
    cluster.put_answer(TOY, json.dumps(toy).encode())
    handlers.start(cluster)
    await cluster.patch(TOY, *OWNER, {"status": {"x": 1}}, subresource="status", writer=(TOY, OWNER))
    assert urgent == told


@virtual
async def test_an_object_that_no_watch_delivers_is_not_cached_by_writing_it() -> None:
    async with an_environment() as env:
        manifest = a_config()
        del manifest["metadata"]["labels"]
        await env.cluster.apply(manifest)
        assert env.cluster.get(CONFIG_MAP, NS, "bear-config") is None


@virtual
async def test_children_are_found_by_their_owner_whatever_their_kind() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config(), a_deployment(), once=[a_job()]))
        found = env.cluster.owned(env.owner.metadata.uid)
        assert sorted(kind.kind for kind, _ in found) == ["ConfigMap", "Deployment", "Job"]


@virtual
async def test_a_failing_map_function_does_not_stop_the_events_of_other_objects() -> None:
    def strange(cluster: Cluster, live: Live) -> Sequence[Key]:
        raise LookupError("strange")

    reconciled: list[Key] = []

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        reconciled.append(key)
        return None

    watches: list[Watch[Any]] = [Watch(JOB, strange), Watch(TOY, owned_by(TOY))]
    server = ScriptedServer(rest=[initial_events_end(3), 5.0, added("a", 4), HANG])
    engine = Engine(server, [Controller(TOY, reconcile, watches)])
    leading = asyncio.Event()
    leading.set()
    run = asyncio.create_task(engine.run(leading))
    await asyncio.sleep(10)
    assert reconciled == [Key("ns", "a")]
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


@pytest.mark.parametrize(
    ("selector", "seen"),
    [
        ("", True),
        ("a=1", True),
        ("a==1", True),
        ("a=2", False),
        ("a!=2", True),
        ("a!=1", False),
        ("a", True),
        ("c", False),
        ("!c", True),
        ("!a", False),
        ("a=1,b", True),
        ("a=1, c", False),
    ],
)
def test_selectors(selector: str, seen: bool) -> None:
    assert matches(selector, Meta("x", labels=pairs({"a": "1", "b": ""}))) is seen
