"""Children follow the spec; deleted and edited ones are repaired; objects and fields of others stay."""

import pytest

from fakecluster.frappe import Effect
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, INGRESS, JOB, PVC, SECRET, SERVICE, Kind, Ref
from frappe_operator.kube.objects import Manifest
from tests.world.site_state import DATA, fetched


def test_deleted_children_come_back() -> None:
    world = a_world()
    settle(world)
    before = world.comparable_objects()
    lost = [ref for ref in world.children() if ref.kind not in (*DATA, JOB)]
    assert len(lost) > 15
    for ref in lost:
        world.delete(ref.kind, ref.name)
    settle(world)
    assert world.comparable_objects() == before
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
    world.assert_no_writes(600)


@pytest.mark.parametrize("lost", [Ref(SERVICE, "default", "acme-gunicorn"), Ref(SERVICE, "default", "forge-nginx")])
def test_one_child_that_is_deleted_comes_back_at_once(lost: Ref) -> None:
    world = a_world()
    settle(world)
    world.delete(lost.kind, lost.name)
    world.run(3)
    assert world.get_existing(lost)


def test_edited_children_are_put_right() -> None:
    world = a_world()
    settle(world)
    before = world.comparable_objects()
    for ref in world.children():
        if ref.kind == DEPLOYMENT:
            pod = {"terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": 0}}
            world.edit(DEPLOYMENT, ref.name, {"spec": {"replicas": 7, "template": {"spec": pod}}})
        elif ref.kind == CONFIG_MAP:
            data = world.get_existing(ref)["data"]
            world.edit(CONFIG_MAP, ref.name, {"data": {next(iter(data)): "nonsense"}})
        elif ref.kind == INGRESS:
            world.edit(INGRESS, ref.name, {"spec": {"rules": [{"host": "evil.example.com"}]}})
        if ref.kind not in (JOB, *DATA):
            world.edit(ref.kind, ref.name, {"metadata": {"labels": {"app.kubernetes.io/name": "other"}}})
    settle(world, quiet=200)
    assert world.comparable_objects() == before
    world.assert_no_writes(600)


def test_what_others_add_to_children_stays() -> None:
    world = a_world()
    settle(world)
    sidecar = {"name": "mesh", "image": "mesh:1"}
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    containers = [*front["spec"]["template"]["spec"]["containers"], sidecar]
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    world.edit(DEPLOYMENT, "acme-gunicorn", {**change, "metadata": {"annotations": {"example.com/note": "mine"}}})
    settle(world)
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    assert front["metadata"]["annotations"]["example.com/note"] == "mine"
    assert [each["name"] for each in front["spec"]["template"]["spec"]["containers"]][-1] == "mesh"
    world.assert_no_writes(600)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(SECRET, "acme-admin"), (CONFIG_MAP, "forge-nginx"), (PVC, "acme-files"), (JOB, "acme-create")],
)
def test_what_was_there_before_is_neither_taken_nor_changed(kind: Kind, name: str) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}
    bodies: dict[Kind, Manifest] = {
        SECRET: {"stringData": {"password": "known"}},
        CONFIG_MAP: {"data": {"x": "y"}},
        PVC: {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        JOB: {"spec": {"suspend": True, "template": {"spec": pod}}},
    }
    planted = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **bodies[kind]}
    world = a_world(planted, a_bench(), a_site())
    owner, before = name.split("-")[0], world.get(kind, name)
    world.run(600)
    after = world.get(kind, name)
    assert after is not None
    assert before is not None
    assert after.get("data") == before.get("data")
    assert after["metadata"].get("ownerReferences") is None
    said = world.condition("Ready", "forge", BENCH) if owner == "forge" else world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NameConflict")


def test_a_changed_spec_reaches_the_children_and_going_back_restores_them() -> None:
    world = a_world()
    settle(world)
    before = world.comparable_objects()
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 3}, "domain": "shop.example.com"}})
    settle(world)
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    assert front["status"]["readyReplicas"] == 3
    assert fetched(world, "shop.example.com") == 200
    assert fetched(world, "acme.example.com") == 404
    world.edit(SITE, "acme", {"spec": {"componentReplicas": None, "domain": None}})
    settle(world)
    assert world.comparable_objects() == before


def test_a_site_whose_new_pods_are_not_ready_yet_is_served_by_those_before() -> None:
    world = a_world()
    settle(world)
    world.kubelet.broken = {"acme-gunicorn-*"}
    amounts = {"gunicorn": {"requests": {"cpu": "150m"}}}
    world.edit(SITE, "acme", {"spec": {"componentResources": amounts}})
    world.run(600)
    assert not world.condition("WorkloadsReady", "acme", SITE).ok
    assert fetched(world, "acme.example.com") == 200
    for condition in ("Routed", "Serving"):
        assert world.condition(condition, "acme", SITE).ok, condition


def test_what_the_spec_no_longer_says_goes_from_the_pods() -> None:
    world = a_world(a_bench(imageConfig={"pullSecrets": [{"name": "registry"}]}), a_site())
    settle(world)
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    assert front["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    world.edit(BENCH, "forge", {"spec": {"imageConfig": None}})
    settle(world)
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    assert "imagePullSecrets" not in front["spec"]["template"]["spec"]
    world.assert_no_writes(600)
