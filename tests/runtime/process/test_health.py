"""What the process says of itself: it is ready when it knows everything, and only while it hears."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.process.health import SILENT_AFTER_SECONDS, Health
from tests.runtime.environment import TOY, WATCHES
from tests.runtime.scripted_server import ScriptedServer


async def nothing(cluster: Cluster, key: Key) -> float | None:
    return None


class HealthEndpoints:
    """A process whose engine does not run: a test says what it knows and hears."""

    def __init__(self) -> None:
        self.engine = Engine(ScriptedServer(), [Controller(TOY, nothing, WATCHES)])
        self.health = Health(self.engine, "127.0.0.1", 0, self.engine.measure)

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.health.port}{path}") as answer:
            return answer.status, await answer.text()

    def active(self, seconds_ago: float = 0.0) -> None:
        for informer in self.engine.informers:
            informer.last_activity = asyncio.get_running_loop().time() - seconds_ago


@pytest.fixture
async def endpoints() -> AsyncIterator[HealthEndpoints]:
    endpoints = HealthEndpoints()
    async with endpoints.health:
        yield endpoints


async def test_it_is_alive_whatever_it_knows(endpoints: HealthEndpoints) -> None:
    assert await endpoints.get("/healthz") == (200, "ok\n")


async def test_the_process_is_not_ready_before_all_caches_are_complete(endpoints: HealthEndpoints) -> None:
    endpoints.active()
    endpoints.engine.informers[0].synced.set()
    assert await endpoints.get("/readyz") == (
        503,
        "not all objects are cached yet: ConfigMap, Deployment, HorizontalPodAutoscaler, Job, PersistentVolumeClaim, "
        "Secret\n",
    )


async def test_the_process_is_not_ready_while_a_required_kind_is_not_installed(endpoints: HealthEndpoints) -> None:
    endpoints.engine.synced.set()
    endpoints.active()
    endpoints.engine.cache.stores[TOY].installed = False
    assert await endpoints.get("/readyz") == (
        503,
        "Toy (toys.example.com/v1) is not installed in this cluster: "
        "apply the CustomResourceDefinitions of the operator\n",
    )


async def test_the_process_is_ready_unless_a_watch_is_silent_for_long(endpoints: HealthEndpoints) -> None:
    endpoints.engine.synced.set()
    endpoints.active()
    assert await endpoints.get("/readyz") == (200, "ok\n")
    endpoints.engine.informers[0].last_activity -= SILENT_AFTER_SECONDS + 1
    assert await endpoints.get("/readyz") == (503, "no answer from the API server for too long: Toy\n")


async def test_metrics_are_as_of_now(endpoints: HealthEndpoints) -> None:
    endpoints.active(seconds_ago=50)
    _, told = await endpoints.get("/metrics")
    ages = [float(line.split()[-1]) for line in told.splitlines() if line.startswith("frappe_operator_watch_age")]
    assert len(ages) == len(endpoints.engine.informers)
    assert all(50 <= age < 60 for age in ages)
