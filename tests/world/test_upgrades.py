"""Sites go over to a new image one by one: the data is migrated while no pod runs, and stays as it was on a failure."""

import json
from collections.abc import Iterable

from fakecluster.controllers.kubelet import Exit, image_digest
from fakecluster.frappe import VERSIONS
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, POD, PVC, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.upgrade import FAILED_LABEL, RELEASE_LABEL, RETRY_ANNOTATION, UPGRADING_LABEL

REPOSITORY = "registry.example.com/erp"
TAGS = {
    "v1": {**VERSIONS, "frappe": "15.51.1"},
    "v2": {**VERSIONS, "frappe": "15.102.0"},
    "v3": {**VERSIONS, "frappe": "15.103.0"},
    "v4": {**VERSIONS, "frappe": "15.104.0"},
}
OF_TAG = {tag: f"{REPOSITORY}:{tag}@{image_digest(f'{REPOSITORY}:{tag}')}" for tag in TAGS}


def image(tag: str) -> Manifest:
    return {"imageConfig": {"repository": REPOSITORY, "tag": tag}}


def a_town(*sites: str, **bench: object) -> World:
    """A settled bench with sites that run v1."""
    made = [a_site(name, siteName=f"{name}.example.com") for name in sites]
    world = a_world(a_bench(**{**image("v1"), **bench}), *made)
    for tag, versions in TAGS.items():
        world.frappe.releases[image_digest(f"{REPOSITORY}:{tag}")] = versions
    settle(world)
    return world


def to(world: World, tag: str) -> None:
    world.edit(BENCH, "forge", {"spec": image(tag)})


def tags(world: World, *sites: str) -> list[str]:
    """The tags of the images in the web Deployments of the sites."""
    by_image = {image: tag for tag, image in OF_TAG.items()}
    found = [world.get_existing(Ref(DEPLOYMENT, "default", f"{site}-gunicorn"))["spec"] for site in sites]
    return [by_image[each["template"]["spec"]["containers"][0]["image"]] for each in found]


def labels(world: World, site: str) -> Manifest:
    """What the claim of a site records of its release."""
    found = world.get_existing(Ref(PVC, "default", f"{site}-files"))["metadata"]["labels"]
    return {name: found[name] for name in (RELEASE_LABEL, UPGRADING_LABEL, FAILED_LABEL) if name in found}


def migrated(world: World) -> list[str]:
    """The sites that were migrated, in order."""
    return [each.where.split(".")[0] for each in world.frappe.ledger if each.what == "migrated"]


def upgrading(world: World) -> Manifest:
    """`status.upgrade` of the bench."""
    return dict(world.get_existing(Ref(BENCH, "default", "forge")).get("status", {}).get("upgrade") or {})


def turns_until_done(world: World) -> list[list[str]]:
    """The sites that have their turn, every few seconds until all sites run the image of the bench."""
    seen: list[list[str]] = []
    while not any(seen) or upgrading(world):
        world.run(5)
        seen.append(upgrading(world).get("upgrading", []))
        assert len(seen) < 1000
    return seen


def all_ready(world: World, sites: Iterable[str]) -> bool:
    return all(world.condition("Ready", site, SITE).ok for site in sites)


def test_the_data_is_migrated_with_every_pod_at_zero_and_the_pods_of_the_new_image_follow() -> None:
    world = a_town("acme")
    to(world, "v2")
    settle(world)
    assert tags(world, "acme") == ["v2"]
    assert migrated(world) == ["acme"]
    assert all_ready(world, ["acme"])
    assert world.condition("Upgraded", "acme", SITE).ok
    assert world.condition("SitesUpgraded", "forge", BENCH).ok
    status = world.get_existing(Ref(SITE, "default", "acme"))["status"]
    assert status["frappeVersion"] == "15.102.0"
    assert status["release"] == OF_TAG["v2"]
    assert "upgrade" not in status
    assert not upgrading(world)
    assert world.all(JOB, "acme-upgrade-*") == []
    world.assert_no_writes(600)


def test_the_release_is_recorded_with_the_data_and_named_while_it_is_migrated() -> None:
    world = a_town("acme")
    before = labels(world, "acme")
    assert list(before) == [RELEASE_LABEL]
    world.frappe.script["acme-upgrade-*"] = [None]
    to(world, "v2")
    world.run(120)
    during = labels(world, "acme")
    assert during[RELEASE_LABEL] == before[RELEASE_LABEL]
    assert UPGRADING_LABEL in during
    replicas = {each["spec"]["replicas"] for each in world.all(DEPLOYMENT, "acme-*")}
    assert replicas == {0}
    ready = world.condition("Ready", "acme", SITE)
    assert (ready.status, ready.reason) == ("False", "Upgrading")
    assert world.get_existing(Ref(SITE, "default", "acme"))["status"]["upgrade"]["step"] == "Migrating"
    world.frappe.script.clear()
    (pod,) = world.all(POD, "acme-upgrade-*")
    world.delete(POD, pod["metadata"]["name"])
    settle(world)
    assert list(labels(world, "acme")) == [RELEASE_LABEL]
    assert labels(world, "acme") != before


def test_a_turn_that_waits_long_for_a_running_job_says_where_to_look_and_ends_no_job() -> None:
    world = a_town("acme", upgrade={"drainTimeout": "5m"})
    world.kubelet.slow.add("acme-worker-long-*")
    to(world, "v2")
    world.run(200)
    before = world.condition("Upgraded", "acme", SITE).message
    assert "waiting for acme-worker-long-" in before
    assert "drainTimeout" not in before
    world.run(200)
    said = world.condition("Upgraded", "acme", SITE)
    (pod,) = [each["metadata"]["name"] for each in world.all(POD, "acme-worker-long-*")]
    assert said.message.endswith(f"drainTimeout: kubectl logs -n default {pod} shows the job")
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(1200)
    world.kubelet.slow.clear()
    world.changed()
    settle(world)
    assert tags(world, "acme") == ["v2"]


def test_a_site_whose_migration_fails_is_served_by_the_image_of_before_and_says_why() -> None:
    world = a_town("acme")
    world.frappe.failing_migrations.add("acme.example.com")
    to(world, "v2")
    settle(world)
    assert tags(world, "acme") == ["v1"]
    assert all_ready(world, ["acme"])
    upgraded = world.condition("Upgraded", "acme", SITE)
    assert (upgraded.status, upgraded.reason) == ("False", "MigrationFailed")
    assert "erpnext.patches.v15_0.broken: the patch is broken" in upgraded.message
    assert world.get_existing(Ref(SITE, "default", "acme"))["status"]["upgrade"]["step"] == "Failed"
    assert upgrading(world)["failed"] == ["acme"]
    assert world.condition("Ready", "forge", BENCH).ok
    assert len(world.all(JOB, "acme-upgrade-*")) == 1
    world.assert_no_writes(600)
    # It is not tried again by itself, not even by another process that has lost the status.
    world.crash()
    settle(world)
    tries = [each for each in world.frappe.ledger if each.what == "failed to migrate"]
    assert len(tries) == 1


def test_a_failed_upgrade_is_tried_again_when_somebody_asks_or_the_image_changes() -> None:
    world = a_town("acme")
    world.frappe.failing_migrations.add("acme.example.com")
    to(world, "v2")
    settle(world)
    world.frappe.failing_migrations.clear()
    world.edit(SITE, "acme", {"metadata": {"annotations": {RETRY_ANNOTATION: "1"}}})
    settle(world)
    assert tags(world, "acme") == ["v2"]
    world.frappe.failing_migrations.add("acme.example.com")
    to(world, "v3")
    settle(world)
    assert tags(world, "acme") == ["v2"]
    to(world, "v2")
    settle(world)
    assert world.condition("Upgraded", "acme", SITE).ok
    assert all_ready(world, ["acme"])


def test_the_image_of_before_is_the_way_back_while_no_site_runs_the_new_one() -> None:
    world = a_town("acme")
    world.frappe.failing_migrations.add("acme.example.com")
    to(world, "v2")
    settle(world)
    to(world, "v1")
    settle(world)
    assert world.condition("ImageReady", "forge", BENCH).ok
    assert world.condition("SitesUpgraded", "forge", BENCH).ok
    assert world.condition("Upgraded", "acme", SITE).ok
    assert FAILED_LABEL not in labels(world, "acme")


def test_the_assets_of_the_image_of_before_are_served_until_the_next_one_comes() -> None:
    world = a_town("acme")
    before = labels(world, "acme")[RELEASE_LABEL]
    world.frappe.failing_migrations.add("acme.example.com")
    to(world, "v2")
    settle(world)
    world.frappe.failing_migrations.clear()
    to(world, "v3")
    settle(world)
    assert tags(world, "acme") == ["v3"]
    # An image that failed lies between the two.
    assert f"/{before}/$asset" in served(world)
    to(world, "v4")
    settle(world)
    assert tags(world, "acme") == ["v4"]
    assert f"/{before}/$asset" not in served(world)
    assert world.get_existing(Ref(BENCH, "default", "forge"))["status"]["image"]["assetsSize"] == "32Mi"


def served(world: World) -> str:
    return str(world.get_existing(Ref(CONFIG_MAP, "default", "forge-nginx"))["data"]["nginx.conf"])


def test_sites_take_turns_and_never_more_than_the_policy_allows() -> None:
    sites = ["amber", "birch", "cedar", "delta", "elder"]
    world = a_town(*sites, upgrade={"maxConcurrent": 2})
    to(world, "v2")
    seen = turns_until_done(world)
    settle(world)
    assert tags(world, *sites) == ["v2"] * 5
    assert sorted(migrated(world)) == sites
    assert max(map(len, seen)) == 2
    assert all_ready(world, sites)
    assert not upgrading(world)


def test_canaries_go_first_and_the_others_wait_for_the_pause() -> None:
    world = a_town("amber", "birch", "cedar", upgrade={"canary": ["cedar"], "pauseAfterCanary": "30m"})
    to(world, "v2")
    world.run(1200)
    assert tags(world, "amber", "birch", "cedar") == ["v1", "v1", "v2"]
    assert "pauseAfterCanary" in world.condition("SitesUpgraded", "forge", BENCH).message
    world.run(3600)
    settle(world)
    assert migrated(world) == ["cedar", "amber", "birch"]


def test_a_failed_canary_keeps_all_others_as_they_are() -> None:
    world = a_town("amber", "birch", upgrade={"canary": ["birch"], "maxFailures": 5})
    world.frappe.failing_migrations.add("birch.example.com")
    to(world, "v2")
    settle(world)
    assert tags(world, "amber", "birch") == ["v1", "v1"]
    stopped = world.condition("SitesUpgraded", "forge", BENCH)
    assert stopped.reason == "UpgradesStopped"
    assert "canary birch" in stopped.message


def test_more_failures_than_allowed_stop_the_others() -> None:
    sites = ["amber", "birch", "cedar", "delta"]
    world = a_town(*sites)
    world.frappe.failing_migrations |= {f"{site}.example.com" for site in sites}
    to(world, "v2")
    settle(world)
    failed = [each for each in world.frappe.ledger if each.what == "failed to migrate"]
    assert len(failed) == 2
    assert world.condition("SitesUpgraded", "forge", BENCH).reason == "UpgradesStopped"
    assert all_ready(world, sites)


def test_with_strategy_manual_a_site_goes_when_its_release_names_the_image() -> None:
    world = a_town("amber", "birch", upgrade={"strategy": "Manual"})
    to(world, "v2")
    settle(world)
    assert tags(world, "amber", "birch") == ["v1", "v1"]
    world.edit(SITE, "birch", {"spec": {"release": "v2"}})
    settle(world)
    assert tags(world, "amber", "birch") == ["v1", "v2"]
    assert all_ready(world, ["amber", "birch"])
    data = world.get_existing(Ref(CONFIG_MAP, "default", "forge-image"))["data"]
    assert json.loads(next(value for name, value in data.items() if name.startswith("release-")))["reference"]


def test_a_new_site_takes_the_new_image_while_others_wait() -> None:
    world = a_town("amber", upgrade={"strategy": "Manual"})
    to(world, "v2")
    settle(world)
    world.add(a_site("birch", siteName="birch.example.com"))
    settle(world)
    assert tags(world, "amber", "birch") == ["v1", "v2"]
    assert migrated(world) == []


def test_a_site_that_is_deleted_in_its_turn_lets_the_next_one_go() -> None:
    world = a_town("amber", "birch")
    world.frappe.script["amber-upgrade-*"] = [None]
    to(world, "v2")
    world.run(120)
    assert upgrading(world)["upgrading"] == ["amber"]
    world.delete(SITE, "amber")
    settle(world)
    assert tags(world, "birch") == ["v2"]
    world.frappe.script.clear()
    world.add(a_site("amber", siteName="amber.example.com"))
    settle(world)
    assert all_ready(world, ["amber", "birch"])


def test_a_job_that_is_deleted_or_whose_report_is_lost_is_run_again() -> None:
    world = a_town("acme")
    world.frappe.script["acme-upgrade-*"] = [None]
    to(world, "v2")
    world.run(120)
    (job,) = world.all(JOB, "acme-upgrade-*")
    world.delete(JOB, job["metadata"]["name"])
    world.frappe.script.clear()
    settle(world)
    assert tags(world, "acme") == ["v2"]
    assert migrated(world) == ["acme"]


def test_a_site_whose_finished_jobs_are_deleted_stays_with_the_release_of_its_data() -> None:
    world = a_town("acme", upgrade={"strategy": "Manual"})
    to(world, "v2")
    settle(world)
    for job in world.all(JOB, "acme-*"):
        world.delete(JOB, job["metadata"]["name"])
    settle(world)
    assert tags(world, "acme") == ["v1"]
    assert migrated(world) == []
    assert all_ready(world, ["acme"])


def test_an_image_that_replaces_one_that_creates_no_site_is_used_at_once() -> None:
    world = a_world(a_bench(**image("v1")))
    settle(world)
    world.frappe.script["acme-create"] = [Exit(1, "")] * 99
    world.add(a_site())
    world.run(300)
    to(world, "v2")
    world.run(60)
    world.frappe.script.clear()
    settle(world)
    assert tags(world, "acme") == ["v2"]
    assert migrated(world) == []
    assert all_ready(world, ["acme"])
