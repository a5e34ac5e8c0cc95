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
from tests.runtime.scripted_server import Scripted


async def nothing(cluster: Cluster, key: Key) -> float | None:
    return None


class Asked:
    """A process whose engine does not run: a test says what it knows and hears."""

    def __init__(self) -> None:
        self.engine = Engine(Scripted(), [Controller(TOY, nothing, WATCHES)])
        self.health = Health(self.engine, "127.0.0.1", 0, self.engine.measure)

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.health.port}{path}") as answer:
            return answer.status, await answer.text()

    def hears(self, seconds_ago: float = 0.0) -> None:
        for informer in self.engine.informers:
            informer.last_activity = asyncio.get_running_loop().time() - seconds_ago


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    asked = Asked()
    async with asked.health:
        yield asked


async def test_it_is_alive_whatever_it_knows(asked: Asked) -> None:
    assert await asked.get("/healthz") == (200, "ok\n")


async def test_it_is_not_ready_before_everything_is_known_and_says_what_lacks(asked: Asked) -> None:
    asked.hears()
    asked.engine.informers[0].synced.set()
    assert await asked.get("/readyz") == (
        503,
        "not all objects are cached yet: ConfigMap, Deployment, Job, PersistentVolumeClaim, Secret\n",
    )


async def test_it_is_not_ready_while_a_kind_that_it_needs_is_not_installed_and_says_what_to_do(asked: Asked) -> None:
    asked.engine.synced.set()
    asked.hears()
    asked.engine.cache.stores[TOY].installed = False
    assert await asked.get("/readyz") == (
        503,
        "Toy (toys.example.com/v1) is not installed in this cluster: "
        "apply the CustomResourceDefinitions of the operator\n",
    )


async def test_it_is_ready_while_it_hears_and_not_when_a_watch_is_silent_for_long(asked: Asked) -> None:
    asked.engine.synced.set()
    asked.hears()
    assert await asked.get("/readyz") == (200, "ok\n")
    asked.engine.informers[0].last_activity -= SILENT_AFTER_SECONDS + 1
    assert await asked.get("/readyz") == (503, "no answer from the API server for too long: Toy\n")


async def test_metrics_are_as_of_now(asked: Asked) -> None:
    asked.hears(seconds_ago=50)
    _, told = await asked.get("/metrics")
    ages = [float(line.split()[-1]) for line in told.splitlines() if line.startswith("frappe_operator_watch_age")]
    assert len(ages) == len(asked.engine.informers)
    assert all(50 <= age < 60 for age in ages)
