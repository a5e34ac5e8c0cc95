"""Volumes that grow, pods that cannot run and quotas, with the real API server, scheduler and controllers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from frappe_operator.api.kinds import BENCH
from frappe_operator.bench import controller as bench
from frappe_operator.kube.kinds import NAMESPACE, POD, PVC, STATEFUL_SET, Kind
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.client import Client, decoded
from frappe_operator.runtime.client.errors import Invalid, NotFound
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.process.engine import Engine
from sandbox.cluster import Cluster
from sandbox.installation import Kubectl
from tests import definitions

pytestmark = [pytest.mark.cluster]

SERVER = "forge-redis-queue"
HUGE = {"componentResources": {"redis": {"requests": {"cpu": "90000"}}}}


class Operated:
    """A namespace of this test's own, with an operator that keeps the benches in it."""

    def __init__(self, client: Client, kubectl: Kubectl, namespace: str) -> None:
        self.client = client
        self.kubectl = kubectl
        self.namespace = namespace

    async def create(self, manifest: Manifest) -> None:
        metadata = {"namespace": self.namespace, **manifest["metadata"]}
        await self.client.create({**manifest, "metadata": metadata})

    async def bench(self, **spec: Any) -> None:
        body = {"apiVersion": BENCH.api_version, "kind": BENCH.kind, "metadata": {"name": "forge"}}
        await self.create({**body, "spec": {"frappeVersion": "version-15", **spec}})

    async def edit(self, **spec: Any) -> None:
        await self.client.patch(BENCH, self.namespace, "forge", {"spec": spec})

    async def read(self, kind: Kind, name: str) -> Manifest:
        return decoded(await self.client.get(kind, self.namespace, name))

    async def condition(self, name: str) -> Manifest:
        found = (await self.read(BENCH, "forge")).get("status", {}).get("conditions", [])
        return next((each for each in found if each["type"] == name), {"status": "", "reason": "", "message": ""})

    async def until(self, true: Callable[[], Awaitable[bool]], within: float = 90.0) -> None:
        """Waits for something to become so."""
        async with asyncio.timeout(within):
            while not await true():  # noqa: ASYNC110 - several objects are asked, of which none tells of the others
                await asyncio.sleep(0.2)

    async def says(self, condition: str, reason: str) -> Manifest:
        """Waits for a condition to have a reason."""

        async def so() -> bool:
            return bool((await self.condition(condition))["reason"] == reason)

        await self.until(so)
        return await self.condition(condition)


@pytest.fixture(scope="session")
def defined(simulated_cluster: Cluster) -> Cluster:
    definitions.install(simulated_cluster)
    return simulated_cluster


@pytest.fixture
async def operated(defined: Cluster) -> AsyncIterator[Operated]:
    async with HttpTransport(find(str(defined.kubeconfig))) as transport:
        name = f"trouble-{uuid.uuid4().hex[:8]}"
        client = Client(transport, strict=True)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        uid = decoded(await client.create(namespace))["metadata"]["uid"]
        controllers = [bench.controller(Images(), lambda: uuid.uuid4().hex, HostGrants())]
        engine = Engine(transport, controllers, namespaces=(name,), strict=True)
        leading = asyncio.Event()
        leading.set()
        running = asyncio.create_task(engine.run(leading))
        try:
            yield Operated(client, Kubectl.of(defined), name)
            await client.patch(BENCH, name, "forge", {"metadata": {"finalizers": None}})
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await client.delete(NAMESPACE, "", name, uid)


async def test_a_servers_volume_grows_and_its_pod_runs_on(operated: Operated) -> None:
    await operated.bench()
    await operated.says("CacheReady", "Ready")
    pod, before = await operated.read(POD, f"{SERVER}-0"), await operated.read(STATEFUL_SET, SERVER)

    template = before["spec"]["volumeClaimTemplates"][0]
    larger = {**template, "spec": {**template["spec"], "resources": {"requests": {"storage": "2Gi"}}}}
    patch = {"spec": {"volumeClaimTemplates": [larger]}}
    with pytest.raises(Invalid, match=r"spec\.volumeClaimTemplates: Invalid value: .*field is immutable"):
        await operated.client.patch(STATEFUL_SET, operated.namespace, SERVER, patch)

    await operated.edit(redisConfig={"storageSize": "2Gi"})

    async def made_again() -> bool:
        try:
            live = await operated.read(STATEFUL_SET, SERVER)
        except NotFound:
            return False
        owners = (await operated.read(POD, f"{SERVER}-0"))["metadata"].get("ownerReferences", [])
        return live["metadata"]["uid"] != before["metadata"]["uid"] and [each["uid"] for each in owners] == [
            live["metadata"]["uid"]
        ]

    await operated.until(made_again)
    await operated.says("CacheReady", "Ready")
    live, claim = await operated.read(STATEFUL_SET, SERVER), await operated.read(PVC, f"data-{SERVER}-0")
    for spec in (live["spec"]["volumeClaimTemplates"][0]["spec"], claim["spec"]):
        assert spec["resources"]["requests"]["storage"] == "2Gi"
    assert (await operated.read(POD, f"{SERVER}-0"))["metadata"]["uid"] == pod["metadata"]["uid"]
    assert live["status"]["updateRevision"] == before["status"]["updateRevision"]


async def test_a_class_that_cannot_change_is_said_in_words(operated: Operated) -> None:
    await operated.bench()
    await operated.says("CacheReady", "Ready")
    await operated.edit(redisConfig={"storageClassName": "other"}, storage={"storageClassName": "other"})
    for condition in ("CacheReady", "StorageReady"):
        said = (await operated.says(condition, "Rejected"))["message"]
        assert "was created with storage class standard, which is immutable: write storageClassName: standard" in said


async def test_a_pod_without_room_is_told_and_gives_way_to_the_corrected_one(operated: Operated) -> None:
    await operated.bench(**HUGE)
    said = (await operated.says("CacheReady", "Unschedulable"))["message"]
    assert "Insufficient cpu" in said
    assert "it requests cpu 90000" in said
    await operated.edit(componentResources={"redis": {"requests": {"cpu": "10m"}}})
    await operated.says("CacheReady", "Ready")


async def test_a_quota_is_named(operated: Operated) -> None:
    metadata = {"namespace": operated.namespace, "name": "tight"}
    spec = {"hard": {"requests.cpu": "0"}}
    operated.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})
    await operated.bench()
    said = await operated.says("CacheReady", "QuotaExceeded")
    assert "exceeded quota: tight, requested: requests.cpu=" in said["message"]
    assert "limited: requests.cpu=0" in said["message"]
    assert "exceeded quota" in (await operated.says("ImageReady", "QuotaExceeded"))["message"]
