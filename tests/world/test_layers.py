"""Apps that the image lacks: built into layers, mounted by the sites, and what happens when a build fails."""

import json
from typing import Any

from fakecluster.frappe import VERSIONS, Effect
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, Ref
from frappe_operator.kube.objects import Manifest

WITHOUT_HRMS = {"frappe": "15.50.0", "erpnext": "15.48.0"}
APPS = '["erpnext", "hrms"]'


def a_world_without_hrms(*, apps: str = APPS, **spec: Any) -> World:
    """The first example of the specification, with an image that lacks hrms as the official one does."""
    world = a_world(a_bench(appsJSON=apps, **spec), a_site())
    world.frappe.versions = dict(WITHOUT_HRMS)
    return world


def layers(world: World) -> list[Manifest]:
    """The recorded layers."""
    found = world.get(CONFIG_MAP, "forge-apps")
    return json.loads(found["data"]["layers"]) if found else []


def mounted(world: World, name: str = "acme-gunicorn") -> dict[str, str]:
    """Folders of layers that the containers of a Deployment mount, by path."""
    pod = world.get_existing(Ref(DEPLOYMENT, "default", name))["spec"]["template"]["spec"]
    mounts = [mount for each in pod["containers"] for mount in each["volumeMounts"] if mount["name"] == "layers"]
    assert all(mount["readOnly"] for mount in mounts)
    return {mount["mountPath"]: mount["subPath"] for mount in mounts}


def test_an_app_that_the_image_lacks_is_built_once_and_mounted_by_the_site() -> None:
    world = a_world_without_hrms()
    settle(world)
    (layer,) = layers(world)
    assert (layer["app"], layer["url"], layer["ref"]) == ("hrms", "https://github.com/frappe/hrms", "version-15")
    assert world.condition("AppsReady", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    assert mounted(world) == {"/home/frappe/frappe-bench/apps/hrms": f"layers/{layer['key']}"}
    assert world.get_existing(Ref(SITE, "default", "acme"))["status"]["installedApps"] == ["frappe", "erpnext", "hrms"]
    proxy = world.get_existing(Ref(CONFIG_MAP, "default", "forge-nginx"))["data"]["nginx.conf"]
    assert f"/layers/{layer['key']}/.frappe-operator/assets/$asset" in proxy
    status = world.get_existing(Ref(BENCH, "default", "forge"))["status"]["layers"]
    assert [(each["app"], each["size"], each["current"]) for each in status] == [("hrms", "5Mi", True)]
    assert [effect.what for effect in world.frappe.ledger].count("built hrms") == 1
    (renewed,) = [each["metadata"]["name"] for each in world.all(JOB, "acme-assets-*")]
    assert not renewed.endswith("meanwhile")
    world.assert_no_writes(600)
    world.crash()
    world.assert_no_writes(600)


def test_a_bench_whose_image_has_all_apps_has_no_layer() -> None:
    world = a_world()
    settle(world)
    said = world.condition("AppsReady", "forge", BENCH)
    assert (said.status, said.reason) == ("True", "NotNeeded")
    assert not mounted(world)
    assert world.get(CONFIG_MAP, "forge-apps") is None


def test_a_build_that_fails_says_why_and_touches_no_running_site() -> None:
    world = a_world_without_hrms(apps='["erpnext"]')
    world.frappe.unbuildable["hrms"] = ("AppRequired", "hrms, check: needs the app payments")
    settle(world)
    before = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))["metadata"]["generation"]
    world.edit(BENCH, "forge", {"spec": {"appsJSON": APPS}})
    settle(world)
    said = world.condition("AppsReady", "forge", BENCH)
    assert (said.status, said.reason) == ("False", "AppRequired")
    assert "hrms, check: needs the app payments" in said.message
    installed = world.condition("AppsInstalled", "acme", SITE)
    assert installed.status == "False"
    assert "hrms is not provided yet" in installed.message
    assert "needs the app payments" in installed.message
    assert world.condition("Serving", "acme", SITE).ok
    assert world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))["metadata"]["generation"] == before
    world.frappe.unbuildable.clear()
    world.changed()
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert mounted(world) == {"/home/frappe/frappe-bench/apps/hrms": f"layers/{layers(world)[0]['key']}"}


def test_another_branch_is_mounted_once_it_is_built_and_the_previous_layer_stays() -> None:
    world = a_world_without_hrms()
    settle(world)
    (first,) = layers(world)
    world.frappe.script["forge-app-*"] = [None]
    world.edit(BENCH, "forge", {"spec": {"appsJSON": '["erpnext", {"name": "hrms", "version": "v15.30.0"}]'}})
    world.run(120)
    assert mounted(world) == {"/home/frappe/frappe-bench/apps/hrms": f"layers/{first['key']}"}
    assert world.condition("Serving", "acme", SITE).ok
    world.frappe.script.clear()
    world.changed()
    settle(world)
    kept, second = layers(world)
    assert kept == first
    assert mounted(world) == {"/home/frappe/frappe-bench/apps/hrms": f"layers/{second['key']}"}
    world.edit(BENCH, "forge", {"spec": {"appsJSON": '["erpnext", {"name": "hrms", "version": "v15.31.0"}]'}})
    settle(world)
    assert [each["ref"] for each in layers(world)] == ["v15.30.0", "v15.31.0"]
    (disk,) = [each for each in world.frappe.disks.values() if "layers" in each]
    assert set(disk["layers"]) == {each["key"] for each in layers(world)}
    world.assert_no_writes(600)


def test_a_new_value_of_the_annotation_has_the_layers_built_again() -> None:
    world = a_world_without_hrms()
    settle(world)
    world.edit(BENCH, "forge", {"metadata": {"annotations": {"vyogo.tech/build-apps": "1"}}})
    settle(world)
    assert len(layers(world)) == 2
    world.edit(BENCH, "forge", {"metadata": {"annotations": {"vyogo.tech/build-apps": None}}})
    settle(world)
    assert len(layers(world)) == 2
    assert mounted(world) == {"/home/frappe/frappe-bench/apps/hrms": f"layers/{layers(world)[-1]['key']}"}


def test_an_unknown_app_and_git_that_is_forbidden_are_reported() -> None:
    world = a_world_without_hrms(apps='["erpnext", "unheard_of"]')
    settle(world)
    assert world.condition("AppsReady", "forge", BENCH).reason == "AppUnknown"
    world.edit(BENCH, "forge", {"spec": {"appsJSON": APPS, "gitConfig": {"enabled": False}}})
    settle(world)
    said = world.condition("AppsReady", "forge", BENCH)
    assert said.reason == "GitForbidden"
    assert "gitConfig.enabled: false forbids" in said.message
    assert not world.all(JOB, "forge-app-*")
    installed = world.condition("AppsInstalled", "acme", SITE)
    assert "gitConfig.enabled: false forbids" in installed.message


def test_a_lost_record_is_found_again_in_the_layers() -> None:
    world = a_world_without_hrms()
    settle(world)
    before, known = mounted(world), layers(world)
    world.delete(CONFIG_MAP, "forge-apps")
    settle(world)
    assert (mounted(world), layers(world)) == (before, known)
    assert world.frappe.ledger.count(Effect("built hrms", known[0]["key"])) == 1


def test_the_job_has_the_secret_of_its_app_and_nothing_else() -> None:
    apps = [{"name": "private_app", "gitUrl": "https://example.com/private_app", "authSecretRef": {"name": "login"}}]
    world = a_world(a_bench(appsJSON=None, apps=apps), a_site())
    world.frappe.versions = {**VERSIONS}
    settle(world)
    said = world.condition("AppsReady", "forge", BENCH)
    assert (said.reason, "Secret login" in said.message) == ("SecretNotFound", True)
    world.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"token": "t"}})
    world.run(120)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    (job,) = world.all(JOB, "forge-app-*")
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert [each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each] == ["login"]
