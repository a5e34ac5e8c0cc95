"""What remains of a deleted site, what is deleted with it, and when."""

import pytest

from fakecluster.frappe import Effect
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import JOB, PVC, SECRET, STATEFUL_SET, Kind, Ref
from frappe_operator.kube.objects import Manifest
from tests.world.site_state import DATA, breaks, fetched


def test_a_site_that_is_kept_is_taken_up_again() -> None:
    world = a_world()
    settle(world)
    disks, secret = set(world.frappe.disks), world.get(SECRET, "acme-admin")
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []
    assert [ref for ref in world.children() if ref.name.startswith("acme") and ref.kind not in DATA] == []
    assert world.frappe.sites() == {"acme.example.com"}
    world.add(a_site())
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert set(world.frappe.disks) == disks
    assert world.get_existing(Ref(SECRET, "default", "acme-admin"))["data"] == (secret or {})["data"]
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
    assert len(world.frappe.databases()) == 1
    assert fetched(world, "acme.example.com") == 200


def test_a_site_that_is_to_be_deleted_leaves_nothing() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"), a_site("bolt"))
    settle(world)
    world.delete(SITE, "acme")
    settle(world)
    assert [ref for ref in world.children() if ref.name.startswith("acme")] == []
    assert world.frappe.sites() == {"bolt.example.com"}
    assert len(world.frappe.databases()) == 1
    assert fetched(world, "bolt.example.com") == 200
    assert fetched(world, "acme.example.com") == 404
    world.assert_no_writes(600)


def test_a_database_is_dropped_when_the_last_pod_has_ended_and_not_before() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    settle(world)
    world.kubelet.slow = {"acme-worker-long-*"}
    world.delete(SITE, "acme")
    world.run(600)
    assert len(world.frappe.databases()) == 1
    said = world.condition("Deleted", "acme", SITE)
    assert (said.status, said.reason) == ("False", "Deleting")
    assert "acme-worker-long-" in said.message
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert world.all(SITE) == []
    assert world.frappe.databases() == set()


def test_a_site_stays_until_its_data_is_gone() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    settle(world)
    breaks(world, "forge-mariadb-*")
    world.delete(SITE, "acme")
    world.run(30)
    assert world.get(SITE, "acme") is not None
    made = [write.ref.name for write in world.writes if write.ref.kind == JOB and write.code == 201]
    assert made.count("acme-drop") == 1
    breaks(world)
    settle(world)
    assert world.all(SITE) == []
    assert world.frappe.databases() == set()


@pytest.mark.parametrize(("kind", "name"), [(SECRET, "acme-admin"), (PVC, "acme-files")])
def test_what_was_there_before_is_not_deleted_with_the_site_either(kind: Kind, name: str) -> None:
    bodies: dict[Kind, Manifest] = {
        SECRET: {"stringData": {"password": "known"}},
        PVC: {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    }
    planted = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **bodies[kind]}
    world = a_world(planted, a_bench(), a_site("acme", deletionPolicy="Delete"))
    settle(world)
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []
    assert world.get(kind, name) is not None


def test_a_site_whose_spec_is_nonsense_goes_and_keeps_its_data() -> None:
    """It was stored when its definition allowed more than today's."""
    world = World(a_bench(), a_site())
    settle(world)
    world.edit(SITE, "acme", {"spec": {"deletionPolicy": 7, "siteName": None}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).reason == "InvalidSpec"
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []
    assert len(world.frappe.databases()) == 1
    assert world.frappe.sites() == {"acme.example.com"}


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_site_goes_although_its_bench_is_gone(policy: str) -> None:
    world = a_world(a_site("acme", deletionPolicy=policy))
    settle(world)
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []


def test_a_site_goes_although_its_bench_was_torn_away() -> None:
    """Somebody took the finalizer off by hand, and the garbage collector MariaDB: its volume is all that is left."""
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    settle(world)
    world.delete(BENCH, "forge")
    world.edit(BENCH, "forge", {"metadata": {"finalizers": None}})
    settle(world)
    assert world.get(STATEFUL_SET, "forge-mariadb") is None
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []


def test_a_site_that_is_kept_goes_although_its_database_is_dead() -> None:
    world = a_world()
    settle(world)
    breaks(world, "forge-mariadb-*")
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []
