"""Why pods do not run is reported with its cause; what the operator can repair, it repairs."""

import json

import pytest

from fakecluster.apiserver.resource_quota import quota
from fakecluster.controllers.kubelet import Crash, Exit
from fakecluster.controllers.volumes import storage_class
from fakecluster.frappe import Effect
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import DEPLOYMENT, EVENT, JOB, POD, PVC, STATEFUL_SET, Kind, Ref
from frappe_operator.runtime.apply.children import INVALID_SECONDS

UNTIL_STALLED = 150.0


def stalled(world: World, name: str, kind: Kind) -> bool:
    return world.condition("Stalled", name, kind).ok


def claim_size(world: World, name: str) -> str:
    size: str = world.get_existing(Ref(PVC, "default", name))["spec"]["resources"]["requests"]["storage"]
    return size


def asked(world: World, seconds: float) -> list[str]:
    """What is asked of the API server within so many seconds, but for watches."""
    before = len(world.server.requests)
    world.run(seconds)
    return [f"{each.verb} {each.kind.kind}" for each in world.server.requests[before:] if each.verb != "watch"]


def lists_of_workers(world: World, since: int) -> int:
    """How often the pods of workers were listed, from the n-th request on."""
    asked = world.server.requests[since:]
    return sum(each.kind == POD and "worker-long" in each.query.get("labelSelector", "") for each in asked)


def warnings(world: World) -> list[tuple[str, str]]:
    events = [world.api.get(ref).obj for ref in world.api.store.refs() if ref.kind == EVENT]
    return [
        (each["regarding"]["name"], each["reason"])
        for each in events
        if each["type"] == "Warning" and each["reportingController"] == "vyogo.tech/frappe-operator"
    ]


def test_pods_without_room_are_said_with_what_is_missing() -> None:
    world = a_world(a_bench(), a_site(componentResources={"gunicorn": {"requests": {"cpu": "40"}}}))
    world.kubelet.cpu = 8
    world.run(60)
    said = world.condition("WorkloadsReady", "acme", SITE)
    assert said.reason == "Unschedulable"
    assert "acme-gunicorn: 0 of 1 pods are ready" in said.message
    assert "1 Insufficient cpu. (it requests cpu 40" in said.message
    assert "preemption" not in said.message
    assert not stalled(world, "acme", SITE), "a node may come yet"
    world.run(UNTIL_STALLED)
    assert stalled(world, "acme", SITE)
    world.edit(SITE, "acme", {"spec": {"componentResources": {"gunicorn": {"requests": {"cpu": "1"}}}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_a_site_hears_why_its_database_does_not_come() -> None:
    resources = {"requests": {"cpu": "40", "memory": "1Gi"}, "limits": {"cpu": "80", "memory": "2Gi"}}
    world = a_world(a_bench(databaseConfig={"resources": resources}), a_site())
    world.kubelet.cpu = 8
    world.run(60)
    assert world.condition("DatabaseReady", "forge", BENCH).reason == "Unschedulable"
    said = world.condition("DatabaseReady", "acme", SITE).message
    assert said.startswith("MariaDB forge-mariadb of FrappeBench forge is not ready yet: ")
    assert "Insufficient cpu" in said


def test_a_job_without_room_says_so_too() -> None:
    world = a_world()
    world.kubelet.cpu = 0.0
    world.run(UNTIL_STALLED)
    said = world.condition("ImageReady", "forge", BENCH)
    assert said.reason == "Unschedulable"
    assert "Insufficient cpu" in said.message
    assert stalled(world, "forge", BENCH)


@pytest.mark.parametrize("kind", [DEPLOYMENT, STATEFUL_SET, JOB])
def test_a_quota_that_refuses_pods_is_named(kind: Kind) -> None:
    world = a_world()
    if kind == DEPLOYMENT:
        settle(world)
        for ref in world.children("acme"):
            if ref.kind == DEPLOYMENT:
                world.delete(DEPLOYMENT, ref.name)
    if kind == JOB:
        settle(world)
        world.add(a_site("bolt"))
    world.api.admission.append(quota(world.api, requests_cpu="0"))
    world.run(90)
    where = {
        DEPLOYMENT: ("WorkloadsReady", "acme", SITE),
        STATEFUL_SET: ("CacheReady", "forge", BENCH),
        JOB: ("DatabaseReady", "bolt", SITE),
    }[kind]
    said = world.condition(*where)
    assert said.reason == "QuotaExceeded", said
    assert "exceeded quota: compute, requested: requests.cpu=" in said.message
    assert "limited: requests.cpu=0" in said.message
    world.api.admission.pop()
    world.run(700)
    assert world.condition("Ready", where[1], where[2]).ok


def test_an_image_that_does_not_exist_is_said_and_one_that_comes_late_is_waited_for() -> None:
    world = a_world()
    world.kubelet.pulls = {"acme-socketio-*": ("ErrImagePull", 'failed to pull "erp:9": erp:9: not found')}
    world.run(60)
    said = world.condition("WorkloadsReady", "acme", SITE)
    assert said.reason == "ImagePullFailed"
    assert "erp:9: not found" in said.message
    assert stalled(world, "acme", SITE)
    world.kubelet.pulls = {"acme-socketio-*": ("ErrImagePull", "i/o timeout")}
    world.changed()
    world.run(120)
    assert "i/o timeout" in world.condition("WorkloadsReady", "acme", SITE).message
    assert not stalled(world, "acme", SITE)
    world.kubelet.pulls = {}
    world.changed()
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_site_is_never_ready_while_a_container_crashes() -> None:
    """It starts in 20 s, which counts as available in between, and then fails."""
    world = a_world()
    words = "Traceback\nOSError: [Errno 30] Read-only file system: 'config/scheduler_process' redis://:canary@cache"
    world.kubelet.crashes = {"acme-scheduler-*": Crash(Exit(1, words), after=20)}
    ready = []
    for _ in range(600):
        world.run(1)
        restarts = [
            status["restartCount"]
            for pod in world.all(POD, "acme-scheduler-*")
            for status in pod["status"].get("containerStatuses", [])
        ]
        if any(restarts) and world.condition("Ready", "acme", SITE).ok:
            ready.append(world.loop.time())
    assert len(ready) <= 1, "a status takes a moment to be written"
    said = world.condition("WorkloadsReady", "acme", SITE)
    assert said.reason == "CrashLoop"
    assert "container scheduler of pod acme-scheduler-" in said.message
    assert "exited with code 1" in said.message
    assert "Read-only file system: 'config/scheduler_process'" in said.message
    assert "canary" not in said.message
    world.kubelet.crashes = {}
    world.changed()
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_a_container_that_was_killed_for_its_memory_says_so() -> None:
    world = a_world()
    world.kubelet.crashes = {"forge-redis-cache-0": Crash(Exit(137), after=2, reason="OOMKilled")}
    world.run(60)
    said = world.condition("CacheReady", "forge", BENCH)
    assert said.reason == "OOMKilled"
    assert "memory limit reached (exit code 137)" in said.message


def test_nothing_is_asked_about_a_site_that_is_ready_and_ever_less_about_one_that_is_not() -> None:
    world = a_world()
    settle(world)
    assert asked(world, 3600) == []
    world.kubelet.broken = {"acme-worker-long-*"}
    world.changed()
    before = len(world.server.requests)
    world.run(60)
    assert 1 <= lists_of_workers(world, before) <= 6
    world.run(3600)
    before = len(world.server.requests)
    world.run(3600)
    assert 1 <= lists_of_workers(world, before) <= 13


def test_a_pod_that_could_never_run_gives_way_to_the_corrected_one() -> None:
    world = a_world(a_bench(componentResources={"redis": {"requests": {"cpu": "900"}}}))
    world.kubelet.cpu = 8
    world.run(60)
    assert world.condition("CacheReady", "forge", BENCH).reason == "Unschedulable"
    world.edit(BENCH, "forge", {"spec": {"componentResources": {"redis": {"requests": {"cpu": "50m"}}}}})
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    deleted = [write.ref.name for write in world.writes if write.verb == "delete" and write.ref.kind == POD]
    assert sorted(deleted) == ["forge-redis-cache-0", "forge-redis-queue-0"]


def test_a_pod_that_was_ready_once_is_never_deleted() -> None:
    world = a_world()
    settle(world)
    world.kubelet.broken = {"forge-redis-queue-0"}
    world.changed()
    world.run(60)
    world.edit(BENCH, "forge", {"spec": {"componentResources": {"redis": {"requests": {"cpu": "70m"}}}}})
    world.run(900)
    assert [write for write in world.writes if write.verb == "delete" and write.ref.kind == POD] == []


@pytest.mark.parametrize("field", ["databaseConfig", "redisConfig"])
def test_a_server_gets_a_larger_volume_and_no_new_pod(field: str) -> None:
    world = a_world()
    settle(world)
    name = {"databaseConfig": "forge-mariadb", "redisConfig": "forge-redis-queue"}[field]
    before = world.get_existing(Ref(POD, "default", f"{name}-0"))["metadata"]["uid"]
    world.edit(BENCH, "forge", {"spec": {field: {"storageSize": "20Gi"}}})
    settle(world)
    assert claim_size(world, f"data-{name}-0") == "20Gi"
    template = world.get_existing(Ref(STATEFUL_SET, "default", name))["spec"]["volumeClaimTemplates"][0]
    assert template["spec"]["resources"]["requests"]["storage"] == "20Gi"
    pod = world.get_existing(Ref(POD, "default", f"{name}-0"))["metadata"]
    assert pod["uid"] == before
    assert [each["kind"] for each in pod["ownerReferences"]] == ["StatefulSet"]
    assert world.condition("Ready", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"storageSize": "1Gi"}, "data-forge-mariadb-0 has 10Gi and cannot shrink to 1Gi: set 10Gi or more"),
        (
            {"storageClassName": "fast"},
            "was created with storage class standard, which is immutable: write storageClass",
        ),
    ],
)
def test_what_cannot_change_of_a_servers_volume_is_said_and_all_else_applies(
    change: dict[str, str], words: str
) -> None:
    world = a_world(storage=[storage_class(), storage_class("fast", default=False)])
    settle(world)
    resources = {"requests": {"cpu": "300m", "memory": "512Mi"}}
    world.edit(BENCH, "forge", {"spec": {"databaseConfig": {**change, "resources": resources}}})
    settle(world)
    said = world.condition("DatabaseReady", "forge", BENCH)
    assert said.reason == "Rejected"
    assert words in said.message
    assert stalled(world, "forge", BENCH)
    live = world.get_existing(Ref(STATEFUL_SET, "default", "forge-mariadb"))
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "300m"
    world.run(1)
    assert asked(world, INVALID_SECONDS / 2) == []
    world.edit(BENCH, "forge", {"spec": {"databaseConfig": None}})
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok


def test_a_volume_that_may_not_grow_is_said() -> None:
    world = a_world(storage=[storage_class(allowVolumeExpansion=False)])
    settle(world)
    world.edit(BENCH, "forge", {"spec": {"databaseConfig": {"storageSize": "20Gi"}, "storage": {"size": "30Gi"}}})
    settle(world)
    for condition, name in (("DatabaseReady", "data-forge-mariadb-0"), ("StorageReady", "forge-common")):
        said = world.condition(condition, "forge", BENCH)
        assert f"PersistentVolumeClaim {name} cannot grow to" in said.message
        assert "its storage class standard does not allow volume expansion: set 10Gi" in said.message
    assert world.get(STATEFUL_SET, "forge-mariadb") is not None


@pytest.mark.parametrize("kind", [SITE, BENCH])
def test_an_access_mode_that_cannot_change_moves_no_pod(kind: Kind) -> None:
    world = a_world()
    settle(world)
    name, claim = ("acme", "acme-files") if kind == SITE else ("forge", "forge-common")
    front = Ref(DEPLOYMENT, "default", f"{name}-gunicorn" if kind == SITE else f"{name}-nginx")
    before = world.get_existing(front)["spec"]["template"]
    assert "affinity" in before["spec"]
    world.edit(kind, name, {"spec": {"storage": {"accessMode": "ReadWriteMany", "size": "50Gi"}}})
    settle(world)
    assert world.get_existing(front)["spec"]["template"] == before
    said = world.condition("StorageReady", name, kind)
    assert said.reason == "Rejected"
    assert f"{claim} was created with access mode ReadWriteOnce, which is immutable" in said.message
    assert "write accessMode: ReadWriteOnce, or move the data to a new" in said.message
    assert claim_size(world, claim) == "50Gi", "the rest is applied"
    world.run(1)
    assert asked(world, INVALID_SECONDS / 2) == []


def test_a_storage_class_that_cannot_change_is_said_in_words() -> None:
    world = a_world(storage=[storage_class(), storage_class("fast", default=False)])
    settle(world)
    world.edit(SITE, "acme", {"spec": {"storage": {"storageClassName": "fast"}}})
    settle(world)
    said = world.condition("StorageReady", "acme", SITE)
    assert said.message == (
        "PersistentVolumeClaim acme-files was created with storage class standard, which is immutable: write "
        "storageClassName: standard, or move the data to a new FrappeSite by backup and restore"
    )
    assert "core.PersistentVolumeClaimSpec" not in said.message


def test_a_storage_class_that_is_not_named_any_more_stays_what_it_is() -> None:
    world = a_world(a_bench(), a_site(storage={"storageClassName": "standard"}))
    settle(world)
    world.edit(SITE, "acme", {"spec": {"storage": None}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_a_task_that_fails_again_and_again_is_stalled_with_its_last_words() -> None:
    world = a_world()
    why = json.dumps({"ok": False, "reason": "InstallationFailed", "message": "DuplicateEntryError", "blocked": False})
    world.frappe.script = {"acme-apps-*": [Exit(1, why)] * 8}
    world.run(120)
    assert not stalled(world, "acme", SITE)
    world.run(300)
    said = world.condition("AppsInstalled", "acme", SITE)
    assert said.reason == "InstallationFailed"
    assert "has failed 6 times" in said.message
    assert "DuplicateEntryError" in said.message
    assert stalled(world, "acme", SITE)
    world.run(1200)
    assert world.condition("Ready", "acme", SITE).ok, "it is tried all the same"


def test_a_task_that_only_waits_is_never_stalled() -> None:
    world = a_world()
    why = json.dumps({"ok": False, "reason": "DatabaseUnavailable", "message": "no answer", "blocked": False})
    world.frappe.script = {"acme-create": [Exit(1, why)] * 8}
    world.run(1200)
    assert world.condition("SiteCreated", "acme", SITE).reason == "JobRetrying"
    assert not stalled(world, "acme", SITE)


def test_an_edit_of_a_domain_is_no_warning() -> None:
    world = a_world()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"domain": "shop.example.com"}})
    settle(world)
    world.edit(SITE, "acme", {"spec": {"aliases": ["www.example.com"], "componentReplicas": {"gunicorn": 2}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert warnings(world) == []


def test_apps_are_told_in_the_images_own_order() -> None:
    world = a_world()
    world.frappe.versions = {"frappe": "15.50.0", "zebra": "1.0", "erpnext": "15.48.0", "alpha": "2.0"}
    settle(world)
    said = world.condition("ImageReady", "forge", BENCH).message
    assert said == "Frappe 15.50.0 with frappe, zebra, erpnext, alpha"
    world.crash()
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": {"nginx": 2}}})
    settle(world)
    assert world.condition("ImageReady", "forge", BENCH).message == said
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
