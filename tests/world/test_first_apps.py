"""A site that was created with its apps needs no Job that installs them; a list that changes does."""

import pytest

from fakecluster.controllers.kubelet import Exit
from fakecluster.frappe import Effect
from fakecluster.samples import a_site
from fakecluster.world import World, settle
from frappe_operator.api.kinds import SITE
from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.kube.kinds import DEPLOYMENT, JOB, PVC, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.first_apps import FIRST_APPS_LABEL
from tests.world.test_templates import a_bench, copied, with_template

HOST = "bolt.example.com"


def install_jobs(world: World, site: str = "bolt") -> list[Manifest]:
    return world.all(JOB, f"{site}-apps-*")


def want(world: World, *apps: str) -> None:
    world.edit(SITE, "bolt", {"spec": {"apps": list(apps)}})


def status(world: World) -> Manifest:
    return dict(world.get_existing(Ref(SITE, "default", "bolt"))["status"])


def label(world: World) -> str | None:
    labels: Manifest = world.get_existing(Ref(PVC, "default", "bolt-files"))["metadata"]["labels"]
    return labels.get(FIRST_APPS_LABEL)


@pytest.fixture
def world() -> World:
    """The site bolt was copied from a template with frappe and erpnext."""
    world = with_template(a_bench(appsJSON='["erpnext", "hrms"]'), a_site(apps=["erpnext"]))
    world.add(a_site("bolt", apps=["erpnext"]))
    settle(world)
    assert copied(world) == {HOST}
    return world


def test_a_copy_is_ready_without_a_job_that_installs_apps(world: World) -> None:
    assert install_jobs(world, "acme")
    assert not install_jobs(world)
    assert label(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert world.condition("AppsInstalled", "bolt", SITE).message == "The site was created with its apps."
    assert status(world)["installedApps"] == ["frappe", "erpnext"]
    assert {each["name"]: each["state"] for each in status(world)["apps"]} == {
        "frappe": "Installed",
        "erpnext": "Installed",
    }
    world.assert_no_writes(600)


def test_a_site_with_only_frappe_needs_none_either() -> None:
    world = with_template(a_bench(siteTemplates={"enabled": False}), a_site(apps=[]))
    assert copied(world) == set()
    assert not install_jobs(world, "acme")
    assert world.condition("Ready", "acme", SITE).ok


def test_another_list_of_apps_is_installed(world: World) -> None:
    want(world, "erpnext", "hrms")
    settle(world)
    assert len(install_jobs(world)) == 1
    assert label(world) is None
    assert status(world)["installedApps"] == ["frappe", "erpnext", "hrms"]
    world.assert_no_writes(600)


def test_an_app_that_was_removed_and_is_wanted_again_is_installed(world: World) -> None:
    want(world)
    world.edit(SITE, "bolt", {"metadata": {"annotations": {CONFIRM_ANNOTATION: "erpnext"}}})
    settle(world)
    assert Effect("removed erpnext", HOST) in world.frappe.ledger
    assert status(world)["installedApps"] == ["frappe"]
    want(world, "erpnext")
    settle(world)
    assert Effect("installed erpnext", HOST) in world.frappe.ledger
    assert status(world)["installedApps"] == ["frappe", "erpnext"]
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_lost_status_is_written_again_without_a_job(world: World) -> None:
    before = status(world)
    world.edit(SITE, "bolt", {"status": dict.fromkeys(before)}, subresource="status")
    settle(world)
    assert status(world)["installedApps"] == before["installedApps"]
    assert not install_jobs(world)


def test_a_claim_that_lost_its_record_has_the_job_look_again(world: World) -> None:
    world.edit(PVC, "bolt-files", {"metadata": {"labels": {FIRST_APPS_LABEL: None}}})
    settle(world)
    assert len(install_jobs(world)) == 1
    assert Effect("installed erpnext", HOST) not in world.frappe.ledger
    assert world.condition("Ready", "bolt", SITE).ok
    world.assert_no_writes(600)


def test_a_site_that_is_taken_up_has_the_job_look_again(world: World) -> None:
    uids = {each["metadata"]["uid"] for each in world.all(DEPLOYMENT, "bolt-*")}
    world.delete(SITE, "bolt")
    settle(world)
    world.add(a_site("bolt", apps=["erpnext"]))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert uids.isdisjoint(each["metadata"]["uid"] for each in world.all(DEPLOYMENT, "bolt-*"))
    assert len(install_jobs(world)) == 1
    assert Effect("installed erpnext", HOST) not in world.frappe.ledger


def test_a_report_that_is_lost_has_the_job_look_again() -> None:
    world = with_template(a_bench(), a_site())

    def program(pod: Manifest, attempt: int) -> Exit | None:
        ended = world.frappe.program(pod, attempt)
        creates = pod["metadata"]["name"].startswith("bolt-create")
        return Exit() if creates and ended is not None and ended.code == 0 else ended

    world.kubelet.program = program
    world.add(a_site("bolt"))
    settle(world)
    assert copied(world) == {HOST}
    assert len(install_jobs(world)) == 1
    assert label(world) is None
    assert status(world)["installedApps"] == ["frappe", "erpnext"]
    assert world.condition("Ready", "bolt", SITE).ok
