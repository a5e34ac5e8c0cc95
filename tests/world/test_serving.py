"""The conditions Routed and Serving: what the proxies know, and what a site answers to a probe."""

import pytest

from fakecluster.samples import CONNECTION, EXTERNAL, a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import DEPLOYMENT, POD
from frappe_operator.kube.objects import Key
from tests.world.site_state import fetched, recording_reconciles


def test_a_site_that_does_not_answer_is_not_ready_until_it_does() -> None:
    world = a_world()
    world.frappe.silent = {"acme"}
    world.run(300)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NotAnswering")
    world.frappe.silent = set()
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_changed_site_is_asked_again_before_it_is_called_ready() -> None:
    """Another alias changes no pod: that the site has answered before says nothing about it."""
    world = a_world()
    settle(world)
    world.frappe.stale = {pod["metadata"]["name"] for pod in world.all(POD, "forge-nginx-*")}
    world.edit(SITE, "acme", {"spec": {"aliases": ["www.example.com"]}})
    world.run(300)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "RouteNotServed")
    assert "www.example.com" in said.message


def test_a_site_is_not_routed_while_one_proxy_does_not_know_its_host() -> None:
    world = a_world(a_bench(componentReplicas={"nginx": 2}), a_site("acme"))
    settle(world)
    first, second = (pod["metadata"]["name"] for pod in world.all(POD, "forge-nginx-*"))
    world.frappe.stale = {second}
    world.add(a_site("bolt"))
    world.run(300)
    said = world.condition("Routed", "bolt", SITE)
    assert (said.status, said.reason) == ("False", "RouteNotServed")
    assert second in said.message
    assert first not in said.message
    world.frappe.stale = set()
    world.changed()
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_site_whose_name_means_something_to_nginx_is_reached_like_any_other() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt", siteName="default"))
    settle(world)
    assert fetched(world, "default") == 200
    assert fetched(world, "acme.example.com") == 200
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_site_whose_host_nginx_refuses_says_where_to_look_and_keeps_nobody_out() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    world.frappe.refused = {"bolt.example.com"}
    world.run(600)
    said = world.condition("Routed", "bolt", SITE)
    assert (said.status, said.reason) == ("False", "RouteNotServed")
    assert "does not route bolt.example.com: nginx rejected entries of its maps; its log names them" in said.message
    assert world.condition("Ready", "acme", SITE).ok


def test_nobody_is_asked_before_what_is_wanted_is_written() -> None:
    """A proxy that does not answer may take ten seconds for each host; an edit does not wait for it."""
    world = a_world()
    settle(world)
    before = len(world.server.requests)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 2}}})
    settle(world)
    done = [(each.verb, each.kind, each.name) for each in world.server.requests[before:]]
    assert done.index(("apply", DEPLOYMENT, "acme-gunicorn")) < done.index(("list", POD, ""))


@pytest.mark.parametrize("before", [0, 1])
def test_a_site_without_web_servers_says_so_and_is_not_asked_for_ever(before: int) -> None:
    world = a_world(a_bench(), a_site(componentReplicas={"gunicorn": before}))
    settle(world)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 0}}})
    settle(world)
    serving = world.condition("Serving", "acme", SITE)
    assert serving.reason == "NotAnswering"
    assert "componentReplicas.gunicorn is 0" in serving.message
    assert world.condition("Routed", "acme", SITE).ok
    asked = len(world.server.requests)
    world.assert_no_writes(60)
    assert all(each.verb == "watch" for each in world.server.requests[asked:])
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 1}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_ready_site_in_maintenance_mode_is_found_and_asked_less_and_less_until_it_answers() -> None:
    world = a_world()
    settle(world)
    world.frappe.maintenance = {"acme"}
    world.run(130)
    said = world.condition("Ready", "acme", SITE)
    assert said == world.condition("Serving", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NotAnswering")
    assert "HTTP 503: Frappe is in maintenance mode" in said.message
    world.run(300)
    asked = len(world.server.requests)
    world.assert_no_writes(300)
    lists = [each for each in world.server.requests[asked:] if each.verb == "list"]
    assert 4 <= len(lists) <= 6, "the proxies' addresses are listed for each question: once a minute by now"
    world.frappe.maintenance = set()
    world.run(65)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_locked_database_account_makes_a_ready_site_unready() -> None:
    world = a_world(CONNECTION, a_bench(), a_site(dbConfig=EXTERNAL))
    settle(world)
    world.frappe.external["db.example.com"] = "locked"
    world.run(130)
    said = world.condition("Serving", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NotAnswering")
    assert "HTTP 500" in said.message


def test_sites_that_answer_are_asked_for_ever_and_nothing_else_happens() -> None:
    reconciled: list[Key] = []
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"), controllers=recording_reconciles(reconciled))
    settle(world)
    reconciled.clear()
    before = len(world.server.requests)
    pings = world.frappe.pings.copy()
    world.run(1200)
    assert reconciled == []
    assert [each for each in world.server.requests[before:] if each.verb != "watch"] == []
    for host in ("acme.example.com", "bolt.example.com"):
        assert 15 <= world.frappe.pings[host] - pings[host] <= 20, "once a minute each, for twenty minutes"


def test_a_site_that_is_stopped_on_purpose_is_not_asked() -> None:
    world = a_world()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 0}}})
    settle(world)
    pings = world.frappe.pings.copy()
    world.run(600)
    assert world.frappe.pings == pings
