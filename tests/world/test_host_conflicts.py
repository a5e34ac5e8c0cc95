"""Two sites with the same host: the older one has it."""

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, INGRESS, Ref
from tests.world.site_state import fetched


def test_the_older_of_two_sites_has_the_host() -> None:
    world = a_world(a_bench(), a_site("acme"))
    settle(world)
    world.add(a_site("bolt", domain="ACME.example.com."))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).reason == "HostTaken"
    assert world.get(INGRESS, "bolt") is None
    assert fetched(world, "acme.example.com") == 200
    world.delete(SITE, "acme")
    settle(world)
    assert world.condition("Routed", "bolt", SITE).ok


def test_a_host_that_becomes_free_goes_to_the_next_whatever_its_bench() -> None:
    world = a_world(a_bench("forge"), a_bench("mill"), a_site("acme"))
    settle(world)
    world.add(a_site("bolt", bench="mill", domain="acme.example.com"))
    settle(world)
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    world.delete(SITE, "acme")
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_host_that_another_suffix_makes_free_goes_to_the_next_whatever_its_bench() -> None:
    suffixed = a_bench("forge", domainConfig={"suffix": ".example.com"})
    world = a_world(suffixed, a_bench("mill"), a_site("acme", siteName="acme"))
    settle(world)
    world.add(a_site("bolt", bench="mill", domain="acme.example.com"))
    settle(world)
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    world.edit(BENCH, "forge", {"spec": {"domainConfig": {"suffix": ".example.net"}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_site_that_asks_for_the_host_of_another_loses_its_own_route() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    settle(world)
    world.edit(SITE, "bolt", {"spec": {"domain": "acme.example.com"}})
    settle(world)
    hosts = world.get_existing(Ref(CONFIG_MAP, "default", "forge-nginx"))["data"]["hosts.map"]
    assert hosts == "acme.example.com acme-gunicorn;\n", "nginx takes no map that has a host twice"
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    assert world.get(INGRESS, "bolt") is None
    assert fetched(world, "bolt.example.com") == 404
    assert fetched(world, "acme.example.com") == 200
