"""Who owns the number of replicas: what the operator relies on, at the fake and at the real API server."""

from typing import Any

from frappe_operator.kube.kinds import DEPLOYMENT
from frappe_operator.kube.objects import Manifest
from tests.world.either_server import MERGE, Server, deployment

KEEPER = "us-replicas"


async def scaled(server: Server, replicas: int) -> None:
    """An autoscaler sets a number, through the subresource for it."""
    path = DEPLOYMENT.path(server.namespace, "front", "scale")
    code, body = await server.ask(
        "PATCH", path, {"spec": {"replicas": replicas}}, MERGE, fieldManager="kube-controller-manager"
    )
    assert code == 200, body


def owners(obj: Manifest) -> set[str]:
    entries = obj["metadata"]["managedFields"]
    return {each["manager"] for each in entries if "f:replicas" in each["fieldsV1"].get("f:spec", {})}


async def live(server: Server) -> Manifest:
    code, body = await server.get(DEPLOYMENT, "front")
    assert code == 200
    return body


def kept(obj: Manifest, **metadata: Any) -> Manifest:
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "front", **metadata}}
    return {**head, "spec": {"replicas": obj["spec"]["replicas"]}}


async def test_the_sole_owner_that_lets_the_number_go_makes_it_one(server: Server) -> None:
    await server.applied(deployment(replicas=3))
    assert (await server.applied(deployment(replicas=None)))["spec"]["replicas"] == 1


async def test_the_number_stays_when_another_took_it_before(server: Server) -> None:
    made = await server.applied(deployment(replicas=3))
    code, body = await server.apply(kept(made, uid=made["metadata"]["uid"]), KEEPER, force=False)
    assert (code, owners(body)) == (200, {"us", KEEPER})
    after = await server.applied(deployment(replicas=None))
    assert (after["spec"]["replicas"], owners(after)) == (3, {KEEPER})
    await scaled(server, 5)
    after = await server.applied(deployment({"name": "web", "image": "web:2"}, replicas=None))
    assert (after["spec"]["replicas"], owners(after)) == (5, {"kube-controller-manager"})
    # Back, and once more to the autoscaler.
    after = await server.applied(deployment(replicas=4))
    assert (after["spec"]["replicas"], owners(after)) == (4, {"us"})
    code, _ = await server.apply(kept(after), KEEPER, force=False)
    assert code == 200
    assert (await server.applied(deployment(replicas=None)))["spec"]["replicas"] == 4


async def test_whoever_scales_takes_the_number_from_all_owners(server: Server) -> None:
    made = await server.applied(deployment(replicas=3))
    await scaled(server, 5)
    assert owners(await live(server)) == {"kube-controller-manager"}
    code, status = await server.apply(kept(made), KEEPER, force=False)
    assert (code, status["reason"]) == (409, "Conflict")
    assert (await server.applied(deployment(replicas=None)))["spec"]["replicas"] == 5


async def test_zero_is_applied_over_the_autoscaler_and_a_number_after_it(server: Server) -> None:
    await server.applied(deployment(replicas=None))
    await scaled(server, 5)
    after = await server.applied(deployment(replicas=0))
    assert (after["spec"]["replicas"], owners(after)) == (0, {"us"})
    after = await server.applied(deployment(replicas=5))
    assert (after["spec"]["replicas"], owners(after)) == (5, {"us"})
