"""Event handlers: which changes enqueue which keys, and with which priority."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.cache import Cache
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Response
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, cached_kinds, owned_by
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.queue.handlers import EventHandlers
from frappe_operator.runtime.queue.queue import Priority
from tests.runtime.environment import NS, OWNER, TOY, a_config, a_deployment, a_secret, an_environment, stage
from tests.runtime.scripted_server import HANG, ScriptedServer, added, an_object, initial_events_end
from tests.runtime.virtual_time import virtual


async def nothing(cluster: Cluster, key: Key) -> float | None:
    return None


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
