"""New sites are copied from a template when their bench has one, and nothing ever waits for it."""

import json
from typing import Any

from fakecluster import samples
from fakecluster.controllers.kubelet import Exit
from fakecluster.frappe import Effect
from fakecluster.samples import CONNECTION, EXTERNAL, a_site
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import JOB, Ref
from frappe_operator.kube.objects import Manifest
from tests.world.site_state import breaks


def a_bench(**spec: Any) -> Manifest:
    return samples.a_bench(**{"siteTemplates": {}, **spec})


def a_world(*objects: Manifest) -> World:
    return samples.a_world(*(objects or (a_bench(), a_site())))


def templates(world: World) -> list[dict[str, Any]]:
    """The templates in the status of the bench."""
    status: Manifest = world.get_existing(Ref(BENCH, "default", "forge"))["status"]
    found: list[dict[str, Any]] = status.get("templates", [])
    return found


def copied(world: World) -> set[str]:
    """The sites that were copied from a template."""
    return {each.where for each in world.frappe.ledger if each.what == "copied site"}


def made(world: World) -> list[str]:
    """The lists of apps of the templates that were made, in order."""
    return [each.where for each in world.frappe.ledger if each.what == "made template"]


def job(world: World, name: str) -> list[str]:
    """The arguments of a Job."""
    arguments: list[str] = world.get_existing(Ref(JOB, "default", name))["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    return arguments


def with_template(*objects: Manifest) -> World:
    """A settled world, whose template was made after the first sites."""
    world = a_world(*objects)
    world.frappe.script = {"forge-template-*": [None]}
    settle(world)
    world.frappe.script = {}
    world.changed()
    settle(world)
    return world


def test_the_first_site_is_made_the_long_way_and_the_second_is_copied() -> None:
    world = with_template()
    assert made(world) == ["frappe,erpnext"]
    assert [(each["apps"], each["state"]) for each in templates(world)] == [(["frappe", "erpnext"], "Ready")]
    assert copied(world) == set()
    first = job(world, "acme-database"), job(world, "acme-create")
    world.add(a_site("bolt"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert copied(world) == {"bolt.example.com"}
    assert world.frappe.ledger.count(Effect("created site", "bolt.example.com")) == 1
    assert "installed erpnext" not in {each.what for each in world.frappe.ledger if each.where == "bolt.example.com"}
    assert world.get_existing(Ref(SITE, "default", "bolt"))["status"]["installedApps"] == ["frappe", "erpnext"]
    assert (job(world, "acme-database"), job(world, "acme-create")) == first
    world.assert_no_writes(600)


def test_a_list_of_apps_of_a_site_gets_a_template_of_its_own() -> None:
    world = with_template(a_bench(), a_site(), a_site("bolt", apps=["hrms"]))
    assert made(world) == ["frappe,erpnext", "frappe,hrms"]
    world.add(a_site("core", apps=["hrms"]))
    settle(world)
    assert copied(world) == {"core.example.com"}
    assert {tuple(each["apps"]): each["state"] for each in templates(world)} == {
        ("frappe", "erpnext"): "Ready",
        ("frappe", "hrms"): "Ready",
    }
    world.assert_no_writes(600)


def test_another_image_gets_a_template_of_its_own() -> None:
    world = with_template()
    before = templates(world)
    world.frappe.versions = {"frappe": "15.60.0", "erpnext": "15.58.0", "hrms": "15.30.0"}
    world.edit(BENCH, "forge", {"spec": {"imageConfig": {"tag": "v15.60.0"}}})
    settle(world)
    after = templates(world)
    assert [each["state"] for each in after] == ["Ready"]
    assert after[0]["key"] != before[0]["key"]
    assert len(world.all(JOB, "forge-template-*")) == 1
    world.add(a_site("bolt"))
    settle(world)
    assert copied(world) == {"bolt.example.com"}


def test_a_template_that_fails_is_said_and_blocks_nothing() -> None:
    world = a_world()
    why = json.dumps({"ok": False, "reason": "CreationFailed", "message": "new-site exited with 1", "blocked": False})
    world.frappe.script = {"forge-template-*": [Exit(1, why)] * 100}
    world.run(300)
    assert world.condition("Ready", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    (said,) = templates(world)
    assert said["state"] == "Making"
    assert "new-site exited with 1" in said["message"]
    world.add(a_site("bolt"))
    world.run(300)
    assert world.condition("Ready", "bolt", SITE).ok
    assert copied(world) == set()


def test_a_template_that_was_given_up_is_not_used_until_its_job_is_deleted() -> None:
    world = a_world()
    given_up = json.dumps({"ok": True, "reason": "TemplateUnfit", "message": "it has secrets", "blocked": False})
    ended = [Exit(0, given_up)]

    def program(pod: Manifest, attempt: int) -> Exit | None:
        found = pod["metadata"]["name"].startswith("forge-template-")
        return ended.pop() if found and ended else world.frappe.program(pod, attempt)

    world.kubelet.program = program
    settle(world)
    (said,) = templates(world)
    assert said["state"] == "Failed"
    assert "it has secrets" in said["message"]
    world.add(a_site("bolt"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert copied(world) == set()
    world.assert_no_writes(600)
    world.delete(JOB, world.all(JOB, "forge-template-*")[0]["metadata"]["name"])
    settle(world)
    assert [each["state"] for each in templates(world)] == ["Ready"]


def test_a_template_that_becomes_ready_changes_nothing_for_a_site_that_is_being_made() -> None:
    world = a_world()
    world.frappe.script = {"acme-create": [None], "forge-template-*": [None]}
    settle(world)
    before = [each["metadata"]["uid"] for each in world.all(JOB, "acme-*")]
    del world.frappe.script["forge-template-*"]
    world.changed()
    settle(world)
    assert [each["state"] for each in templates(world)] == ["Ready"]
    assert [each["metadata"]["uid"] for each in world.all(JOB, "acme-*")] == before


def test_the_store_that_lost_its_templates_does_not_stop_a_site() -> None:
    world = with_template()
    for disk in world.frappe.disks.values():
        disk.pop("templates", None)
    world.add(a_site("bolt"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert copied(world) == set()


def test_templates_can_be_switched_off() -> None:
    world = a_world(a_bench(siteTemplates={"enabled": False}), a_site())
    settle(world)
    assert world.all(JOB, "forge-template-*") == []
    world.edit(BENCH, "forge", {"spec": {"siteTemplates": {"enabled": True}}})
    settle(world)
    assert [each["state"] for each in templates(world)] == ["Ready"]
    world.edit(BENCH, "forge", {"spec": {"siteTemplates": {"enabled": False}}})
    settle(world)
    assert world.all(JOB, "forge-template-*") == []
    assert templates(world) == []
    world.add(a_site("bolt"))
    settle(world)
    assert copied(world) == set()


def test_a_bench_without_a_mariadb_of_its_own_makes_none() -> None:
    world = a_world(a_bench(), CONNECTION, a_site(dbConfig=EXTERNAL))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.all(JOB, "forge-template-*") == []


def test_an_external_database_is_filled_the_long_way() -> None:
    world = with_template(a_bench(), a_site())
    world.add(CONNECTION)
    world.add(a_site("bolt", dbConfig=EXTERNAL))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert copied(world) == set()


def test_mariadb_that_is_away_while_a_template_is_made_is_waited_for() -> None:
    world = a_world()
    world.frappe.script = {"forge-template-*": [None]}
    settle(world)
    breaks(world, "forge-mariadb-*")
    del world.frappe.script["forge-template-*"]
    world.run(60)
    assert made(world) == []
    breaks(world)
    settle(world, 400)
    assert made(world) == ["frappe,erpnext"]
    assert [each["state"] for each in templates(world)] == ["Ready"]


def test_an_operator_that_is_killed_again_and_again_makes_a_template_once_and_copies_it_once() -> None:
    world = with_template()

    def killed_often() -> None:
        for _ in range(20):
            world.run(1.3)
            world.crash()
        settle(world)

    world.edit(BENCH, "forge", {"spec": {"appsJSON": '["erpnext", "hrms"]'}})
    killed_often()
    assert made(world) == ["frappe,erpnext", "frappe,erpnext,hrms"]
    assert len(world.all(JOB, "forge-template-*")) == 1
    world.add(a_site("bolt"))
    killed_often()
    assert world.condition("Ready", "bolt", SITE).ok
    assert world.frappe.ledger.count(Effect("copied site", "bolt.example.com")) == 1
    assert world.get_existing(Ref(SITE, "default", "bolt"))["status"]["installedApps"] == ["frappe", "erpnext", "hrms"]
    world.assert_no_writes(600)
