"""A deleted bench stays until its sites are gone, and its namespace goes with everything in it."""

import pytest

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import DEPLOYMENT, JOB, NAMESPACE, SERVICE, Ref
from tests.world.site_state import DATA, fetched


def test_a_bench_with_sites_stays_until_they_are_gone() -> None:
    world = a_world()
    settle(world)
    world.delete(BENCH, "forge")
    settle(world)
    said = world.condition("Ready", "forge", BENCH)
    assert said.reason == "SitesRemain"
    assert "acme" in said.message
    assert fetched(world, "acme.example.com") == 200
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(BENCH) == []


def test_a_bench_that_waits_for_its_sites_stays_whole() -> None:
    world = a_world()
    settle(world)
    before = world.comparable_objects()
    world.delete(BENCH, "forge")
    settle(world)
    assert world.condition("Deleted", "forge", BENCH).reason == "SitesRemain"
    for ref in world.children("forge"):
        if ref.kind not in (*DATA, JOB):
            world.delete(ref.kind, ref.name)
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": {"nginx": 2}}})
    settle(world)
    assert world.get_existing(Ref(DEPLOYMENT, "default", "forge-nginx"))["status"]["readyReplicas"] == 2
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": None}})
    settle(world)
    children = {f"{ref.namespace}/{ref}" for ref in world.children()}
    after = world.comparable_objects()
    assert {name: after[name] for name in children} == {name: before[name] for name in children}
    assert world.condition("Ready", "forge", BENCH).reason == "SitesRemain"
    assert world.condition("ProxyReady", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    asked = len(world.server.requests)
    world.edit(BENCH, "forge", {"metadata": {"annotations": {"somebody": "was here"}}})
    world.assert_no_writes(600)
    assert [each.verb for each in world.server.requests[asked:] if each.verb != "watch"] == []


def test_a_new_site_of_a_bench_that_goes_is_told_at_once_and_holds_up_nothing_of_the_others() -> None:
    world = a_world()
    settle(world)
    world.delete(BENCH, "forge")
    world.run(5)
    world.add(a_site("late"))
    settle(world)
    said = world.condition("BenchReady", "late", SITE)
    assert (said.status, said.reason) == ("False", "BenchDeleting")
    assert "FrappeBench forge is being deleted" in said.message
    assert world.condition("Stalled", "late", SITE).ok
    assert [ref for ref in world.children() if ref.name.startswith("late")] == []
    assert world.condition("Ready", "acme", SITE).ok
    world.delete(SITE, "acme")
    world.delete(SITE, "late")
    settle(world)
    assert world.all(BENCH) == []


def test_of_a_bench_that_is_deleted_in_the_foreground_nothing_is_made_before_all_is_taken_away() -> None:
    world = a_world()
    settle(world)
    world.kubelet.slow = {"forge-nginx-*"}
    world.delete(BENCH, "forge", propagation="Foreground")
    world.run(60)
    said = world.condition("Deleted", "forge", BENCH)
    assert said.reason == "SitesRemain"
    assert "foreground deletion" in said.message
    assert world.get(SERVICE, "forge-redis-cache") is None
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert "foreground" not in world.condition("Deleted", "forge", BENCH).message
    assert world.condition("ProxyReady", "forge", BENCH).ok
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(BENCH) == []


def test_a_bench_goes_whatever_sites_another_has() -> None:
    world = a_world(a_bench("forge"), a_bench("mill"), a_site("acme", bench="mill"))
    settle(world)
    world.delete(BENCH, "forge")
    settle(world)
    assert [bench["metadata"]["name"] for bench in world.all(BENCH)] == ["mill"]


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_namespace_goes_with_everything_in_it(policy: str) -> None:
    bench, site = a_bench(), a_site(deletionPolicy=policy)
    for obj in (bench, site):
        obj["metadata"]["namespace"] = "tenant"
    world = a_world(bench, site)
    settle(world)
    world.delete(NAMESPACE, "tenant", "")
    settle(world, quiet=400)
    assert world.get(NAMESPACE, "tenant", "") is None
