"""A bench and its sites become Ready, in any order of events, and then the operator writes nothing."""

from collections import Counter

import pytest

from fakecluster.controllers.volumes import storage_class
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli import rbac
from frappe_operator.kube.kinds import EVENT
from tests.world.site_state import fetched


def test_a_bench_and_a_site_become_ready_and_then_nothing_is_written() -> None:
    world = a_world()
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    assert fetched(world, "acme.example.com") == 200
    assert fetched(world, "other.example.com") == 404
    world.assert_no_writes(600)


def test_a_bench_and_a_site_of_one_name_become_ready_side_by_side() -> None:
    world = a_world(a_bench("acme"), a_site("acme", bench="acme"))
    settle(world)
    assert world.condition("Ready", "acme", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_when_all_goes_well_there_is_no_warning_and_one_event_each() -> None:
    world = a_world(a_bench())
    settle(world)
    world.add(a_site())
    settle(world)
    told = [world.api.get(ref).obj for ref in world.api.store.refs() if ref.kind == EVENT]
    said = sorted((each["regarding"]["name"], each["type"], each["action"], each["reason"]) for each in told)
    # The bench gets a MariaDB with its first site, until that answers is not Ready, and then is again.
    assert said == [(name, "Normal", "Ready", "Ready") for name in ("acme", "forge", "forge")]
    assert [
        each
        for each in world.server.requests
        if each.subresource == "status" and b"DatabaseUnavailable" in (each.body or b"")
    ] == []


def test_a_new_process_asks_for_each_owner_once_at_most() -> None:
    world = a_world()
    world.run(3)
    world.crash()
    settle(world)
    asked = Counter(each.name for each in world.server.requests if each.verb == "get" and each.kind in (BENCH, SITE))
    assert set(asked.values()) == {1}, "of the first process's nothing is asked: it set the finalizers itself"


def test_everything_that_is_asked_for_is_among_the_rights_of_the_operator() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    world.run(3)
    world.crash()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"aliases": ["shop.example.com"]}})
    settle(world)
    world.delete(SITE, "acme")
    world.delete(BENCH, "forge")
    settle(world)
    rights = rbac.needed(rbac.controllers())
    verbs = {"apply": "patch"}
    asked = {(each.kind, each.subresource, verbs.get(each.verb, each.verb)) for each in world.server.requests}
    assert {verb for _, _, verb in asked} >= {"get", "list", "watch", "create", "patch", "delete"}
    assert [each for each in asked if each[2] not in rights.get(each[:2], ())] == []


def test_volumes_that_wait_for_a_pod_hold_nothing_up() -> None:
    world = a_world(storage=[storage_class(volumeBindingMode="WaitForFirstConsumer")])
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_restart_writes_nothing_to_a_settled_world() -> None:
    world = a_world()
    settle(world)
    world.crash()
    world.assert_no_writes(600)
    assert world.starts == 2


def test_each_of_three_sites_answers_on_its_own_host() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"), a_site("cask"))
    settle(world)
    for name in ("acme", "bolt", "cask"):
        assert world.condition("Ready", name, SITE).ok
        assert fetched(world, f"{name}.example.com") == 200
    assert len(world.frappe.databases()) == 3
    world.assert_no_writes(600)


def test_the_order_in_which_objects_are_made_does_not_matter() -> None:
    first = a_world(a_bench(), a_site())
    settle(first)
    later = a_world(a_site())
    settle(later)
    assert later.condition("Ready").reason == "BenchNotFound"
    assert later.children() == []
    later.add(a_bench())
    settle(later)
    assert later.condition("Ready", "acme", SITE).ok
    assert {str(ref) for ref in later.children()} == {str(ref) for ref in first.children()}


@pytest.mark.parametrize("seed", range(1, 5))
def test_every_order_of_things_ends_in_the_same_world(seed: int) -> None:
    reference, world = a_world(), a_world(seed=seed)
    settle(reference)
    settle(world)
    assert world.comparable_objects() == reference.comparable_objects()
    assert sorted(world.frappe.ledger) == sorted(reference.frappe.ledger)
