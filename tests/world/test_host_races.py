"""Many sites claim one host at once: one of them gets it, and no other is routed for a moment."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from fakecluster.apiserver.store import Change
from fakecluster.samples import EXTERNAL, a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import INGRESS, Ref
from frappe_operator.kube.objects import Manifest
from tests.world.test_wildcard_hosts import routes

BENCHES, NAMESPACES = 2, 5


class Routes:
    """The sites that any object has ever routed at each host, from the beginning of a world."""

    def __init__(self, world: World) -> None:
        self.of: dict[str, set[str]] = {}
        world.api.store.listeners.append(self.note)

    def note(self, ref: Ref, change: Change) -> None:
        for host, site in routes(change.record.obj):
            self.of.setdefault(host, set()).add(f"{ref.namespace}/{site}")


def a_crowded_world(count: int, seed: int = 0, **spec: Any) -> tuple[World, list[Manifest]]:
    """Settled benches in several namespaces, and sites on them that do not exist yet, in any order."""
    benches = [
        in_namespace(number, a_bench(f"bench-{bench}", domainConfig={"allowWildcards": True}))
        for number in range(NAMESPACES)
        for bench in range(BENCHES)
    ]
    world = a_world(*benches, seed=seed)
    settle(world)
    names = [(number, f"site-{number:03d}", f"bench-{number // NAMESPACES % BENCHES}") for number in range(count)]
    sites = [in_namespace(number % NAMESPACES, a_site(name, bench, **spec)) for number, name, bench in names]
    random.Random(seed).shuffle(sites)
    return world, sites


def in_namespace(number: int, obj: Manifest) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "namespace": f"tenant-{number}"}}


def claiming(site: Manifest, *hosts: str) -> Manifest:
    return {**site, "spec": {**site["spec"], "aliases": list(hosts)}}


def reasons(world: World, sites: Sequence[Manifest]) -> dict[str, str]:
    """The reason of Routed of each site."""
    found = {}
    for site in sites:
        meta = site["metadata"]
        status = world.get_existing(Ref(SITE, meta["namespace"], meta["name"]))["status"]
        found[key(site)] = next(each["reason"] for each in status["conditions"] if each["type"] == "Routed")
    return found


def key(site: Manifest) -> str:
    return f"{site['metadata']['namespace']}/{site['metadata']['name']}"


def arrive(world: World, sites: Sequence[Manifest], together: int) -> None:
    """Creates sites within a few seconds, while the operator is at work on those that are there."""
    for number, site in enumerate(sites):
        world.add(site)
        if number % together == 0:
            world.run(0.02)
    settle(world)


def assert_one_owner(world: World, sites: Sequence[Manifest], seen: Routes, host: str) -> str:
    """One of the sites has the host, no other has ever been routed at it, and says so."""
    found = reasons(world, sites)
    (owner,) = seen.of[host]
    assert [name for name, reason in found.items() if reason != "HostTaken"] == [owner]
    return owner


def test_of_200_sites_that_claim_a_host_at_once_one_gets_it_and_no_other_is_routed_for_a_moment() -> None:
    # They have no database and so no pods: the maps of the proxies have their hosts all the same.
    world, sites = a_crowded_world(200, dbConfig=EXTERNAL)
    seen, begun = Routes(world), len(world.writes)
    arrive(world, [claiming(site, "shop.example.com") for site in sites], together=20)
    owner = assert_one_owner(world, sites, seen, "shop.example.com")
    # A site that loses concerns no other.
    assert len(world.writes) - begun < 10 * len(sites)
    namespace, name = owner.split("/")
    world.delete(SITE, name, namespace)
    settle(world)
    (next_owner,) = seen.of["shop.example.com"] - {owner}
    assert reasons(world, [site for site in sites if key(site) == next_owner]) != {next_owner: "HostTaken"}


def test_of_a_wildcard_and_200_hosts_inside_it_either_the_one_or_the_others_are_routed() -> None:
    world, sites = a_crowded_world(200, dbConfig=EXTERNAL)
    wild, *inside = sites
    hosts = {key(site): f"{site['metadata']['name']}.shop.example.com" for site in inside}
    crowd = [claiming(site, hosts[key(site)]) for site in inside]
    seen = Routes(world)
    arrive(world, [claiming(wild, "*.shop.example.com"), *crowd], together=20)
    assert seen.of["*.shop.example.com"] == {key(wild)}
    assert not seen.of.keys() & set(hosts.values())
    assert set(reasons(world, inside).values()) == {"HostTaken"}
    world.edit(SITE, wild["metadata"]["name"], {"spec": {"aliases": None}}, wild["metadata"]["namespace"])
    settle(world)
    assert {host: owners for host, owners in seen.of.items() if host in hosts.values()} == {
        host: {site} for site, host in hosts.items()
    }


@pytest.mark.parametrize("seed", range(2))
def test_up_to_the_ingress_no_site_but_the_owner_is_routed(seed: int) -> None:
    world, sites = a_crowded_world(8, seed)
    seen = Routes(world)
    arrive(world, [claiming(site, "shop.example.com") for site in sites], together=1)
    owner = assert_one_owner(world, sites, seen, "shop.example.com")
    assert [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in world.all(INGRESS)] == [owner]


def test_a_site_keeps_its_host_whatever_older_sites_ask_for_and_however_often_the_operator_starts() -> None:
    """A tenant with an old site writes the host of another's shop into its spec."""
    world = a_world(a_bench(), a_site("acme"))
    settle(world)
    world.run(60)
    world.add(a_site("bolt", domain="shop.example.com"))
    settle(world)
    seen = Routes(world)
    world.edit(SITE, "acme", {"spec": {"aliases": ["shop.example.com"]}})
    settle(world)
    world.crash()
    settle(world)
    taken = world.condition("Routed", "acme", SITE)
    assert (taken.reason, "belongs to FrappeSite bolt, which had it first" in taken.message) == ("HostTaken", True)
    assert seen.of.get("shop.example.com", set()) <= {"default/bolt"}
    assert world.condition("Ready", "bolt", SITE).ok
    world.edit(SITE, "bolt", {"spec": {"domain": "bolt.example.com"}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
