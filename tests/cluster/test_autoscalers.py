"""The real HorizontalPodAutoscaler controller does what the operator relies on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from frappe_operator.kube.kinds import DEPLOYMENT, HPA, Kind
from frappe_operator.kube.live import Autoscaler
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import NO_METRICS
from frappe_operator.runtime.apply.replicas import KEEPER
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.client.transport import TransportError
from sandbox.cluster import Cluster
from tests.world.either_server import Server, deployment, real_server

pytestmark = [pytest.mark.cluster]
CONTROLLER = "kube-controller-manager"


@pytest.fixture
async def server(control_plane: Cluster) -> AsyncIterator[Server]:
    async with real_server(control_plane, "autoscaler-") as server:
        yield server


def autoscaler(least: int) -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "front"}
    aim = {"type": "Utilization", "averageUtilization": 70}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": aim}}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 6, "metrics": [metric]}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "front"},
        "spec": spec,
    }


async def until(server: Server, kind: Kind, met: Callable[[Manifest], bool]) -> Manifest:
    """The object `front` once it is as it should be. The controller looks at an autoscaler every two seconds."""
    async with asyncio.timeout(180):
        while True:
            with suppress(TimeoutError, TransportError):
                async with server.watch(kind) as events:
                    while True:
                        _, found = await events.next()
                        if met(found):
                            return found


def owners(obj: Manifest) -> set[str]:
    entries = obj["metadata"]["managedFields"]
    return {each["manager"] for each in entries if "f:replicas" in each["fieldsV1"].get("f:spec", {})}


def inactive(obj: Manifest) -> str:
    """Why the autoscaler does not scale, as the operator reads it."""
    live = Decoder(Autoscaler).object(json.dumps(obj).encode()).item.live
    assert isinstance(live, Autoscaler)
    return live.inactive


async def test_it_takes_the_number_over_keeps_it_without_metrics_and_does_nothing_at_zero(server: Server) -> None:
    made = await server.applied(deployment(replicas=3), "frappe-operator")
    kept = {key: made[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": "front"}, "spec": {"replicas": 3}}
    assert (await server.apply(kept, KEEPER, force=False))[0] == 200
    after = await server.applied(deployment(replicas=None), "frappe-operator")
    assert (after["spec"]["replicas"], owners(after)) == (3, {KEEPER})
    await server.applied(autoscaler(2))
    await until(server, HPA, lambda found: inactive(found) == NO_METRICS)
    assert (await server.get(DEPLOYMENT, "front"))[1]["spec"]["replicas"] == 3
    # The limits hold without metrics, too.
    await server.applied(autoscaler(5))
    scaled = await until(server, DEPLOYMENT, lambda found: found["spec"]["replicas"] == 5)
    assert owners(scaled) == {CONTROLLER}
    await server.applied(deployment(replicas=0), "frappe-operator")
    await until(server, HPA, lambda found: inactive(found) == "ScalingDisabled")
    stopped = (await server.get(DEPLOYMENT, "front"))[1]
    assert (stopped["spec"]["replicas"], owners(stopped)) == (0, {"frappe-operator"})
