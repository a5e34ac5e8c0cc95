"""Sites behind a Gateway of the Gateway API: their HTTPRoutes, and what the Gateway says of them."""

from typing import Any

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import HTTP_ROUTE, INGRESS, Ref
from frappe_operator.kube.objects import Manifest

GATEWAY = {"type": "Gateway", "gatewayRef": {"name": "public", "namespace": "gateways"}}


def a_gateway_world(**site: Any) -> World:
    world = a_world(a_bench(ingress=GATEWAY), a_site("acme", **site), more_kinds=[HTTP_ROUTE])
    settle(world)
    return world


def route(world: World, name: str = "acme") -> Manifest:
    return world.get_existing(Ref(HTTP_ROUTE, "default", name))


def answers(world: World, reason: str = "", name: str = "acme", message: str = "") -> None:
    """The controller of the Gateway accepts the route, or refuses it for this reason."""
    live = route(world, name)
    conditions = [
        {
            "type": kind,
            "status": "False" if reason and kind == "Accepted" else "True",
            "reason": reason or kind,
            "message": message,
            "observedGeneration": live["metadata"]["generation"],
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parents = [
        {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions}
        for parent in live["spec"]["parentRefs"]
    ]
    world.edit(HTTP_ROUTE, name, {"status": {"parents": parents}}, subresource="status")
    settle(world)


def test_a_site_is_ready_once_the_gateway_has_accepted_its_route() -> None:
    world = a_gateway_world()
    waits = world.condition("Routed", "acme", SITE)
    assert (waits.reason, "Gateway public in namespace gateways" in waits.message) == ("RoutePending", True)
    assert route(world)["spec"]["hostnames"] == ["acme.example.com"]
    assert world.get(INGRESS, "acme") is None
    answers(world)
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_what_the_gateway_says_is_told_with_what_to_do() -> None:
    world = a_gateway_world()
    answers(world, "NotAllowedByListeners", message="no listener allows namespace default")
    refused = world.condition("Ready", "acme", SITE)
    assert refused.reason == "RouteRefused"
    assert "allowedRoutes" in refused.message
    assert "no listener allows namespace default" in refused.message
    answers(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_more_hosts_than_one_route_takes_are_in_several() -> None:
    world = a_gateway_world(aliases=[f"a{number}.example.com" for number in range(20)])
    hosts = [*route(world)["spec"]["hostnames"], *route(world, "acme-route-2")["spec"]["hostnames"]]
    assert len(hosts) == 21
    answers(world)
    assert world.condition("Routed", "acme", SITE).reason == "RoutePending"
    answers(world, name="acme-route-2")
    assert world.condition("Ready", "acme", SITE).ok
    world.edit(SITE, "acme", {"spec": {"aliases": None}})
    settle(world)
    assert world.get(HTTP_ROUTE, "acme-route-2") is None


def test_the_ingress_stays_until_the_gateway_has_accepted_the_route_and_comes_back() -> None:
    world = a_world(a_bench(), a_site("acme"), more_kinds=[HTTP_ROUTE])
    settle(world)
    world.edit(SITE, "acme", {"spec": {"ingress": GATEWAY}})
    settle(world)
    assert world.get(INGRESS, "acme") is not None
    answers(world)
    assert world.get(INGRESS, "acme") is None
    assert world.condition("Ready", "acme", SITE).ok
    for kind in ("None", "Ingress"):
        world.edit(SITE, "acme", {"spec": {"ingress": {"type": kind, "gatewayRef": None}}})
        settle(world)
        assert world.get(HTTP_ROUTE, "acme") is None
        assert (world.get(INGRESS, "acme") is None) == (kind == "None")
        assert world.condition("Ready", "acme", SITE).ok


def test_a_cluster_without_the_gateway_api_is_told_what_to_install() -> None:
    world = a_world(a_bench(ingress=GATEWAY), a_site("acme"))
    world.run(300)
    routed = world.condition("Routed", "acme", SITE)
    assert routed.reason == "NotInstalled"
    assert "Gateway API" in routed.message


def test_a_gateway_that_is_not_named_is_asked_for() -> None:
    world = a_world(a_bench(), a_site("acme", ingress={"type": "Gateway"}), more_kinds=[HTTP_ROUTE])
    settle(world)
    assert "gatewayRef" in world.condition("Routed", "acme", SITE).message


def test_annotations_that_are_not_allowed_are_left_out_and_named() -> None:
    snippet = {"nginx.ingress.kubernetes.io/server-snippet": "return 200;"}
    good = {"nginx.ingress.kubernetes.io/limit-rps": "20"}
    world = a_world(a_bench(), a_site("acme", ingress={"annotations": {**snippet, **good}}))
    settle(world)
    assert "server-snippet is not allowed" in world.condition("Routed", "acme", SITE).message
    world.edit(SITE, "acme", {"spec": {"ingress": {"annotations": dict.fromkeys(snippet)}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    annotations = world.get_existing(Ref(INGRESS, "default", "acme"))["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/limit-rps"] == "20"
    assert "nginx.ingress.kubernetes.io/server-snippet" not in annotations
