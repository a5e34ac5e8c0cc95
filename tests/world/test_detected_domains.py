"""Sites whose host name comes from the load balancer of the ingress controller."""

from typing import Any, cast

import msgspec

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.bench import observe
from frappe_operator.kube.compressed import pack
from frappe_operator.kube.kinds import SERVICE, Ref
from frappe_operator.kube.view import View
from frappe_operator.model.domain_defaults import NO_ADDRESS
from frappe_operator.runtime.client.errors import Forbidden
from tests.unit.resolved_samples import live
from tests.world.site_state import fetched

DETECTS = {"autoDetect": True, "ingressControllerRef": {"name": "controller", "namespace": "ingress"}}


def balancer(world: World, **address: str) -> None:
    """The load balancer of the controller gets this address."""
    status = {"loadBalancer": {"ingress": [address] if address else []}}
    world.edit(SERVICE, "controller", {"status": status}, namespace="ingress", subresource="status")
    world.run(60)


def a_detecting_world(**more: Any) -> World:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "ingress", "name": "controller"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    world = a_world(a_bench(domainConfig={**DETECTS, **more}), service, a_site("acme", siteName="acme"))
    settle(world)
    return world


def status(world: World, site: str = "acme") -> dict[str, Any]:
    return dict(world.get_existing(Ref(SITE, "default", site)).get("status", {}))


def test_an_address_names_each_site_and_is_followed() -> None:
    world = a_detecting_world()
    waits = world.condition("Ready", "acme", SITE)
    assert waits.reason == "AddressPending"
    assert "Service controller in namespace ingress" in waits.message
    balancer(world, ip="192.0.2.7")
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert (status(world)["resolvedDomain"], status(world)["domainSource"]) == (
        "acme.192-0-2-7.nip.io",
        "auto-detected",
    )
    assert fetched(world, "acme.192-0-2-7.nip.io") == 200
    balancer(world, ip="192.0.2.8")
    settle(world)
    assert fetched(world, "acme.192-0-2-8.nip.io") == 200
    assert fetched(world, "acme.192-0-2-7.nip.io") == 404
    world.assert_no_writes(600)


def test_a_load_balancer_that_is_being_replaced_takes_no_name_away() -> None:
    world = a_detecting_world(ipSuffix="sslip.io")
    balancer(world, ip="2001:db8::7")
    settle(world)
    host = "acme.2001-0db8-0000-0000-0000-0000-0000-0007.sslip.io"
    assert status(world)["resolvedDomain"] == host
    balancer(world)
    settle(world)
    world.delete(SERVICE, "controller", namespace="ingress")
    world.run(60)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert fetched(world, host) == 200


def test_a_host_name_is_the_domain_of_one_site_and_the_next_is_told_what_to_do() -> None:
    world = a_detecting_world()
    balancer(world, hostname="LB-1.cloud.example.com")
    settle(world)
    assert status(world)["resolvedDomain"] == "lb-1.cloud.example.com"
    world.add(a_site("bolt", siteName="bolt"))
    settle(world)
    taken = world.condition("Ready", "bolt", SITE)
    assert taken.reason == "HostTaken"
    assert "domain" in taken.message
    world.edit(SITE, "bolt", {"spec": {"domain": "bolt.example.com"}})
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    world.delete(SITE, "acme")
    world.edit(SITE, "bolt", {"spec": {"domain": None}})
    settle(world)
    assert status(world, "bolt")["resolvedDomain"] == "lb-1.cloud.example.com"
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_domain_or_a_suffix_needs_no_address() -> None:
    world = a_detecting_world()
    world.edit(SITE, "acme", {"spec": {"domain": "shop.example.com"}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    world.edit(SITE, "acme", {"spec": {"domain": None}})
    world.edit(BENCH, "forge", {"spec": {"domainConfig": {"suffix": ".example.com"}}})
    settle(world)
    assert status(world)["domainSource"] == "bench-suffix"
    assert world.condition("Ready", "acme", SITE).ok
    world.edit(BENCH, "forge", {"spec": {"domainConfig": None}})
    settle(world)
    assert status(world)["domainSource"] == "sitename-default"
    assert "detectedAddress" not in world.get_existing(Ref(BENCH, "default", "forge"))["status"]


async def test_a_service_that_may_not_be_read_has_no_address_and_the_recorded_one_stays() -> None:
    """An operator that is confined to some namespaces cannot read the Service of a controller in another."""

    class Confined:
        async def read(self, *_: object) -> None:
            raise Forbidden(403, "Forbidden", "services is forbidden")

    bench = live("forge", {"frappeVersion": "v15", "domainConfig": DETECTS}, kind=BENCH)
    assert await observe.detected_address(cast(View, Confined()), bench, bench.decode()) == NO_ADDRESS
    recorded = {"detectedAddress": {"service": "ingress/controller", "address": "192.0.2.7"}}
    bench.status = msgspec.Raw(pack(msgspec.Raw(msgspec.json.encode(recorded))))
    found = await observe.detected_address(cast(View, Confined()), bench, bench.decode())
    assert found.address == "192.0.2.7"
