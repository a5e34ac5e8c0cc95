"""A site whose creation fails, or whose database or bench is not available, reports the cause and recovers."""

import json

import pytest

from fakecluster.controllers.kubelet import Exit
from fakecluster.frappe import Effect
from fakecluster.samples import a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import Kind
from tests.world.site_state import breaks


def test_a_dead_database_is_said_in_words_and_mended_without_a_hand() -> None:
    world = a_world()
    settle(world)
    breaks(world, "forge-mariadb-*")
    settle(world)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "DatabaseUnavailable")
    assert "forge-mariadb" in said.message
    world.add(a_site("late"))
    settle(world)
    assert world.condition("DatabaseReady", "late", SITE).reason == "DatabaseUnavailable"
    breaks(world)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.condition("Ready", "late", SITE).ok
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1


def test_a_site_hears_what_its_bench_lacks_and_when_it_has_it() -> None:
    world = a_world()
    settle(world)
    breaks(world, "forge-redis-*")
    settle(world)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "BenchNotReady")
    assert "FrappeBench forge: CacheReady" in said.message
    breaks(world)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_creation_that_fails_says_why_and_goes_on_by_itself() -> None:
    world = a_world()
    why = json.dumps({"ok": False, "reason": "CreationFailed", "message": "out of memory", "blocked": False})
    world.frappe.script = {"acme-create": [Exit(1, why), Exit(1, why)]}
    world.run(12)
    said = world.condition("SiteCreated", "acme", SITE)
    assert said.reason == "JobRetrying"
    assert "out of memory" in said.message
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


@pytest.mark.parametrize(
    ("job", "kind", "name", "condition"),
    [("forge-image", BENCH, "forge", "ImageReady"), ("acme-create", SITE, "acme", "SiteCreated")],
)
def test_what_a_job_fails_of_is_said_within_a_second(job: str, kind: Kind, name: str, condition: str) -> None:
    world = a_world()
    why = json.dumps({"ok": False, "reason": "Failed", "message": "out of memory"})
    ends: list[Exit] = []
    world.kubelet.program = lambda pod, attempt: (
        next(iter(ends), None) if pod["metadata"]["name"].startswith(job) else world.frappe.program(pod, attempt)
    )
    settle(world)
    ends.append(Exit(1, why))
    world.changed()
    world.run(1)
    assert "out of memory" in world.condition(condition, name, kind).message


def test_a_creation_that_is_refused_stops_and_says_what_to_do() -> None:
    world = a_world()
    why = json.dumps({"ok": False, "reason": "DatabaseNotEmpty", "message": "drop the tables", "blocked": True})
    world.frappe.script = {"acme-create": [Exit(64, why)] * 3}
    world.run(60)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "DatabaseNotEmpty")
    assert "drop the tables" in said.message
    assert world.condition("Stalled", "acme", SITE).ok
