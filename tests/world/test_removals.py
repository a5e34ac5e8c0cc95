"""Apps that are taken from the list of a site stay until their removal is confirmed; then they go, after a dump."""

from typing import Any

import pytest

from fakecluster.controllers.kubelet import image_digest
from fakecluster.faults import Fault, FaultRun
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.kube.kinds import DEPLOYMENT, JOB, PVC, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.removal import REMOVED_LABEL
from frappe_operator.model.upgrade import RETRY_ANNOTATION, UPGRADING_LABEL
from tests.world.test_upgrades import REPOSITORY, TAGS, a_town, all_ready, image, migrated, tags, to, upgrading

APPS = {"appsJSON": '["erpnext", "hrms"]'}


def confirm(world: World, apps: str | None, site: str = "acme") -> None:
    world.edit(SITE, site, {"metadata": {"annotations": {CONFIRM_ANNOTATION: apps}}})


def want(world: World, *apps: str, site: str = "acme") -> None:
    world.edit(SITE, site, {"spec": {"apps": list(apps)}})


def status(world: World, site: str = "acme") -> Manifest:
    return dict(world.get_existing(Ref(SITE, "default", site))["status"])


def states(world: World, site: str = "acme") -> dict[str, str]:
    return {each["name"]: each["state"] for each in status(world, site)["apps"]}


def effects(world: World, *beginnings: str) -> list[str]:
    """The effects that begin with any of these words, in order."""
    return [each.what for each in world.frappe.ledger if each.what.startswith(beginnings)]


def assert_it_is_removed(world: World) -> None:
    assert status(world)["installedApps"] == ["frappe", "hrms"]
    assert states(world) == {"frappe": "Installed", "hrms": "Installed"}
    assert all_ready(world, ["acme"])
    assert world.condition("Upgraded", "acme", SITE).ok
    assert "upgrade" not in status(world)
    assert not upgrading(world)
    labels = world.get_existing(Ref(PVC, "default", "acme-files"))["metadata"]["labels"]
    assert UPGRADING_LABEL not in labels


@pytest.fixture
def world() -> World:
    return a_town("acme", **APPS)


def test_an_app_that_is_taken_from_the_list_stays_and_says_how_it_is_removed(world: World) -> None:
    assert states(world) == {"frappe": "Installed", "erpnext": "Installed", "hrms": "Installed"}
    want(world, "hrms")
    settle(world)
    assert status(world)["installedApps"] == ["frappe", "erpnext", "hrms"]
    assert status(world)["apps"][-1] == {"name": "erpnext", "state": "NotWanted", "version": "15.48.0"}
    installed = world.condition("AppsInstalled", "acme", SITE)
    assert installed.ok
    command = "kubectl annotate fs -n default acme vyogo.tech/confirm-uninstall=erpnext --overwrite"
    assert installed.message.endswith(f"To remove it with its data, after a dump: {command}")
    assert all_ready(world, ["acme"])
    world.assert_no_writes(600)


def test_with_the_annotation_it_is_removed_after_a_dump_and_never_again(world: World) -> None:
    want(world, "hrms")
    settle(world)
    confirm(world, "erpnext")
    seen = set()
    while not effects(world, "removed"):
        world.run(0.1)
        seen |= {status(world).get("upgrade", {}).get("step"), world.condition("Upgraded", "acme", SITE).reason}
    assert {"Draining", "Stopping", "Migrating", "RemovingApps"} <= seen
    settle(world)
    assert effects(world, "dumped", "removed", "migrated") == ["dumped", "removed erpnext"]
    assert_it_is_removed(world)
    assert world.all(JOB, "acme-upgrade-*") == []
    world.assert_no_writes(600)
    world.crash()
    settle(world)
    assert effects(world, "removed") == ["removed erpnext"]
    assert_it_is_removed(world)


def test_both_at_once_is_the_same(world: World) -> None:
    annotations = {"metadata": {"annotations": {CONFIRM_ANNOTATION: "erpnext, unknown"}}}
    world.edit(SITE, "acme", {**annotations, "spec": {"apps": ["hrms"]}})
    settle(world)
    assert_it_is_removed(world)
    message = world.condition("AppsInstalled", "acme", SITE).message
    assert message.endswith("names erpnext, unknown, which is not installed")


def test_apps_that_are_being_installed_are_waited_for(world: World) -> None:
    world.frappe.script["acme-apps-*"] = [None]
    want(world, "hrms")
    confirm(world, "erpnext")
    world.run(120)
    assert not upgrading(world)
    world.frappe.script.clear()
    world.changed()
    settle(world)
    assert_it_is_removed(world)
    assert len(world.all(JOB, "acme-apps-*")) == 1


def test_a_name_that_is_still_in_the_list_removes_nothing_and_says_so(world: World) -> None:
    confirm(world, "erpnext,frappe")
    settle(world)
    assert effects(world, "removed") == []
    assert "erpnext, frappe, which is in the list of apps" in world.condition("AppsInstalled", "acme", SITE).message
    world.assert_no_writes(600)


def test_the_status_may_be_lost_after_a_removal(world: World) -> None:
    confirm(world, "erpnext")
    want(world, "hrms")
    settle(world)
    before = status(world)
    world.edit(SITE, "acme", {"status": dict.fromkeys(before)}, subresource="status")
    settle(world)
    assert effects(world, "removed", "dumped") == ["dumped", "removed erpnext"]
    assert_it_is_removed(world)
    # Nor does an operator drain the site whose status of before comes back.
    world.edit(SITE, "acme", {"status": {"installedApps": ["frappe", "erpnext", "hrms"]}}, subresource="status")
    world.crash()
    settle(world)
    assert status(world)["installedApps"] == ["frappe", "hrms"]
    assert {each["spec"]["replicas"] for each in world.all(DEPLOYMENT, "acme-*")} == {1}


def test_an_app_that_comes_back_is_installed_again_and_can_be_removed_again(world: World) -> None:
    confirm(world, "erpnext")
    want(world, "hrms")
    settle(world)
    want(world, "hrms", "erpnext")
    settle(world)
    assert states(world) == {"frappe": "Installed", "hrms": "Installed", "erpnext": "Installed"}
    assert effects(world, "installed erpnext") == ["installed erpnext"] * 2
    assert REMOVED_LABEL not in world.get_existing(Ref(PVC, "default", "acme-files"))["metadata"]["labels"]
    want(world, "hrms")
    settle(world)
    assert effects(world, "removed") == ["removed erpnext"] * 2
    assert_it_is_removed(world)


def test_a_removal_that_fails_leaves_the_site_as_it_was_and_is_tried_again_when_somebody_asks(world: World) -> None:
    world.frappe.unremovable.add("erpnext")
    want(world, "hrms")
    confirm(world, "erpnext")
    settle(world)
    failed = world.condition("Upgraded", "acme", SITE)
    assert (failed.status, failed.reason) == ("False", "RemovalFailed")
    assert failed.message.startswith("The removal of erpnext failed: a hook is broken. The site is as it was")
    assert states(world)["erpnext"] == "RemovalFailed"
    assert status(world)["upgrade"]["step"] == "Failed"
    assert all_ready(world, ["acme"])
    assert not upgrading(world)
    (job,) = world.all(JOB, "acme-upgrade-*")
    assert job["metadata"]["name"] == f"acme-upgrade-{status(world)['upgrade']['attempt']}"
    world.assert_no_writes(600)
    world.crash()
    settle(world)
    assert effects(world, "failed to remove") == ["failed to remove erpnext"]
    world.frappe.unremovable.clear()
    world.edit(SITE, "acme", {"metadata": {"annotations": {RETRY_ANNOTATION: "1"}}})
    settle(world)
    assert_it_is_removed(world)


def test_a_confirmation_that_is_taken_back_ends_the_turn(world: World) -> None:
    want(world, "hrms")
    settle(world)
    world.frappe.script["acme-upgrade-*"] = [None]
    confirm(world, "erpnext")
    world.run(120)
    assert status(world)["upgrade"]["step"] == "Migrating"
    world.frappe.script.clear()
    confirm(world, None)
    settle(world)
    assert effects(world, "removed") == []
    assert states(world)["erpnext"] == "NotWanted"
    assert all_ready(world, ["acme"])
    assert not upgrading(world)


def test_another_app_that_is_confirmed_meanwhile_is_removed_as_well(world: World) -> None:
    want(world)
    confirm(world, "erpnext")
    world.frappe.script["acme-upgrade-*"] = [None]
    world.run(200)
    confirm(world, "hrms,erpnext")
    world.run(1)
    world.frappe.script.clear()
    world.changed()
    settle(world)
    assert sorted(effects(world, "removed")) == ["removed erpnext", "removed hrms"]
    assert states(world) == {"frappe": "Installed"}
    assert all_ready(world, ["acme"])


def test_neither_a_window_nor_a_canary_nor_a_strategy_holds_up_a_removal_but_the_number_of_turns_does() -> None:
    window = {"days": ["Saturday"], "start": "02:00", "end": "02:01"}
    policy: dict[str, Any] = {"strategy": "Manual", "canary": ["cedar"], "window": window}
    world = a_town("amber", "birch", "cedar", **APPS, upgrade=policy)
    to(world, "v2")
    settle(world)
    for site in ("amber", "birch"):
        want(world, "hrms", site=site)
        confirm(world, "erpnext", site=site)
    most = 0
    while len(effects(world, "removed")) < 2:
        world.run(2)
        most = max(most, len(upgrading(world).get("removing", [])))
    settle(world)
    assert most == 1
    assert tags(world, "amber", "birch", "cedar") == ["v1", "v1", "v1"]
    assert all_ready(world, ["amber", "birch", "cedar"])


def test_with_an_upgrade_apps_are_removed_first_with_the_image_of_before(world: World) -> None:
    world.edit(BENCH, "forge", {"spec": image("v2")})
    want(world, "hrms")
    confirm(world, "erpnext")
    settle(world)
    assert effects(world, "removed", "migrated") in (["removed erpnext", "migrated"], ["migrated", "removed erpnext"])
    assert tags(world, "acme") == ["v2"]
    assert_it_is_removed(world)
    world.assert_no_writes(600)


def test_failed_removals_stop_no_upgrade_and_a_failed_upgrade_no_removal() -> None:
    sites = ["amber", "birch", "cedar"]
    world = a_town(*sites, **APPS, upgrade={"maxFailures": 0})
    world.frappe.unremovable.add("erpnext")
    for site in sites:
        want(world, "hrms", site=site)
        confirm(world, "erpnext", site=site)
    settle(world)
    assert len(effects(world, "failed to remove")) == 3
    to(world, "v2")
    settle(world)
    assert sorted(migrated(world)) == sites
    assert tags(world, *sites) == ["v2"] * 3
    # With another release, each removal was tried again, once.
    assert len(effects(world, "failed to remove")) == 6
    world.frappe.unremovable.clear()
    world.frappe.failing_migrations.add("amber.example.com")
    to(world, "v3")
    world.edit(SITE, "amber", {"metadata": {"annotations": {RETRY_ANNOTATION: "1"}}})
    settle(world)
    assert states(world, "amber") == {"frappe": "Installed", "hrms": "Installed"}
    assert world.condition("Upgraded", "amber", SITE).reason == "MigrationFailed"
    assert effects(world, "failed to migrate") == ["failed to migrate"]


def test_an_image_that_lacks_an_app_is_accepted_once_it_is_removed_from_all_sites() -> None:
    world = a_town("acme", appsJSON='["hrms"]')
    want(world, "erpnext", "hrms")
    settle(world)
    lean = {app: version for app, version in TAGS["v4"].items() if app != "erpnext"}
    world.frappe.releases[image_digest(f"{REPOSITORY}:v4")] = lean
    to(world, "v4")
    settle(world)
    refused = world.condition("ImageReady", "forge", BENCH)
    assert refused.reason == "AppNotInImage"
    assert "remove erpnext from its sites first: take it from their apps" in refused.message
    want(world, "hrms")
    confirm(world, "erpnext")
    settle(world)
    assert tags(world, "acme") == ["v4"]
    assert_it_is_removed(world)


@pytest.mark.parametrize("nth", range(1, 33, 2))
def test_the_operator_may_crash_at_any_write(world: World, nth: int) -> None:
    want(world, "hrms")
    settle(world)
    # The next process has the fault, and the one after it finishes the work.
    world.faults = FaultRun([Fault("crash", nth=nth, after=nth % 4 == 1)])
    world.crash()
    settle(world)
    confirm(world, "erpnext")
    settle(world)
    assert effects(world, "dumped", "removed") == ["dumped", "removed erpnext"]
    assert_it_is_removed(world)
    assert world.faults.happened
