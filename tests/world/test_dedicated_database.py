"""A site with a MariaDB of its own: how it comes, changes, fails, and goes."""

from typing import Any

import pytest

from fakecluster.controllers.volumes import storage_class
from fakecluster.frappe import Effect
from fakecluster.samples import DEDICATED, a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import DEPLOYMENT, JOB, POD, PVC, SECRET, SERVICE, STATEFUL_SET, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.database import SERVER_KIND_LABEL
from tests.world.site_state import DATA, breaks, configured, fetched, revisions

SERVER = "acme-db"
CLAIM = f"data-{SERVER}-0"


def a_dedicated_site(name: str = "acme", **spec: Any) -> Manifest:
    return a_site(name, **{"dbConfig": DEDICATED, **spec})


def a_settled_world(*others: Manifest, **spec: Any) -> World:
    world = a_world(a_bench(), a_dedicated_site(**spec), *others)
    settle(world)
    return world


def command(world: World) -> str:
    server = world.get_existing(Ref(STATEFUL_SET, "default", SERVER))
    script: str = server["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    return script


def database_of(world: World, site: str = "acme") -> str:
    return str(world.get_existing(Ref(SITE, "default", site))["status"]["databaseName"])


def test_a_site_has_a_mariadb_and_its_bench_none() -> None:
    world = a_settled_world()
    assert world.condition("Ready", "acme", SITE).ok
    assert fetched(world, "acme.example.com") == 200
    assert world.get(STATEFUL_SET, "forge-mariadb") is None
    assert world.condition("DatabaseReady", "forge", BENCH).reason == "NotNeeded"
    status = world.get_existing(Ref(SITE, "default", "acme"))["status"]
    assert status["dbConnectionSecret"] == "acme-db-connection"
    secret = world.get_existing(Ref(SECRET, "default", "acme-db-connection"))
    assert set(secret["data"]) == {"host", "port", "database", "username", "password"}
    assert configured(world)["connection"]["host"] == "acme-db.default.svc"
    assert world.get_existing(Ref(STATEFUL_SET, "default", SERVER))["metadata"]["generation"] == 1
    world.assert_no_writes(600)


def test_the_kind_of_server_is_recorded_where_the_data_is() -> None:
    world = a_settled_world(a_site("bolt"))
    for kind, name in ((PVC, "acme-files"), (SECRET, "acme-db-connection")):
        assert world.get_existing(Ref(kind, "default", name))["metadata"]["labels"][SERVER_KIND_LABEL] == "StatefulSet"
    for kind, name in ((PVC, "bolt-files"), (SECRET, "bolt-db-connection")):
        assert SERVER_KIND_LABEL not in world.get_existing(Ref(kind, "default", name))["metadata"]["labels"]


def test_no_service_of_the_bench_leads_to_the_mariadb_of_a_site() -> None:
    world = a_settled_world(a_site("bolt"))
    pods = {pod["metadata"]["name"]: pod["metadata"]["labels"] for pod in world.all(POD)}
    leads_to = {
        each["metadata"]["name"]: {
            name for name, labels in pods.items() if each["spec"]["selector"].items() <= labels.items()
        }
        for each in world.all(SERVICE)
    }
    assert leads_to["forge-mariadb"] == {"forge-mariadb-0"}
    assert leads_to[SERVER] == {f"{SERVER}-0"}
    assert [name for name, found in leads_to.items() if f"{SERVER}-0" in found] == [SERVER]


def test_a_server_that_does_not_come_up_says_why() -> None:
    world = a_world(a_bench(), a_dedicated_site())
    breaks(world, f"{SERVER}-*")
    world.run(120)
    said = world.condition("DatabaseReady", "acme", SITE)
    assert not said.ok
    assert SERVER in said.message
    assert world.get(JOB, "acme-database") is None
    breaks(world)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_server_that_answered_and_fails_is_unavailable_and_nothing_restarts() -> None:
    world = a_settled_world()
    before = revisions(world)
    breaks(world, f"{SERVER}-*")
    world.run(120)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "DatabaseUnavailable")
    assert "MariaDB is not available: acme-db: 0 of 1 pods are ready" in said.message
    breaks(world)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert revisions(world) == before


def test_the_settings_of_the_server_follow_its_memory_and_only_the_server_restarts() -> None:
    world = a_settled_world()
    assert "--max-connections=512 --innodb-buffer-pool-size=1024M" in command(world)
    before, created = revisions(world), set(world.frappe.ledger)
    world.edit(SITE, "acme", {"spec": {"dbConfig": {"resources": {"requests": {"memory": "8Gi"}}}}})
    settle(world)
    assert "--max-connections=2048 --innodb-buffer-pool-size=4096M" in command(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert revisions(world) == before
    assert set(world.frappe.ledger) == created
    world.edit(SITE, "acme", {"spec": {"dbConfig": {"image": "mariadb.example.net/mariadb:11.8"}}})
    settle(world)
    pod = world.get_existing(Ref(POD, "default", f"{SERVER}-0"))
    assert pod["spec"]["containers"][0]["image"] == "mariadb.example.net/mariadb:11.8"
    assert fetched(world, "acme.example.com") == 200


def test_the_volume_grows_without_a_new_pod() -> None:
    world = a_settled_world()
    before = world.get_existing(Ref(POD, "default", f"{SERVER}-0"))["metadata"]["uid"]
    world.edit(SITE, "acme", {"spec": {"dbConfig": {"storageSize": "50Gi"}}})
    settle(world)
    claim = world.get_existing(Ref(PVC, "default", CLAIM))
    assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert world.get_existing(Ref(POD, "default", f"{SERVER}-0"))["metadata"]["uid"] == before
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"storageSize": "1Gi"}, f"{CLAIM} has 10Gi and cannot shrink to 1Gi: set 10Gi or more"),
        ({"storageClassName": "fast"}, "was created with storage class standard, which is immutable"),
    ],
)
def test_what_cannot_change_of_the_volume_is_said_and_the_site_serves_on(change: dict[str, str], words: str) -> None:
    world = a_world(a_bench(), a_dedicated_site(), storage=[storage_class(), storage_class("fast", default=False)])
    settle(world)
    world.edit(SITE, "acme", {"spec": {"dbConfig": {**change, "resources": {"requests": {"cpu": "300m"}}}}})
    settle(world)
    said = world.condition("DatabaseReady", "acme", SITE)
    assert said.reason == "Rejected"
    assert words in said.message
    assert world.condition("Stalled", "acme", SITE).status == "True"
    server = world.get_existing(Ref(STATEFUL_SET, "default", SERVER))
    assert server["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "300m"
    assert fetched(world, "acme.example.com") == 200
    world.edit(SITE, "acme", {"spec": {"dbConfig": {"storageSize": None, "storageClassName": None}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_lost_root_password_is_made_again_and_the_server_restarts_once() -> None:
    world = a_settled_world()
    before = revisions(world)
    world.delete(SECRET, "acme-db-root")
    settle(world)
    assert world.get_existing(Ref(STATEFUL_SET, "default", SERVER))["metadata"]["generation"] == 2
    assert world.condition("Ready", "acme", SITE).ok
    assert revisions(world) == before
    world.edit(SECRET, "acme-db-connection", {"stringData": {"password": "chosen-canary"}})
    settle(world)
    assert configured(world)["connection"]["password"] == "chosen-canary", "which root has set"
    assert fetched(world, "acme.example.com") == 200
    world.assert_no_writes(600)


@pytest.mark.parametrize("retained", [False, True])
def test_a_lost_connection_secret_is_made_again_for_the_same_database(retained: bool) -> None:
    world = a_settled_world()
    database = database_of(world)
    if retained:
        world.delete(SITE, "acme")
        settle(world)
    world.delete(SECRET, "acme-db-connection")
    if retained:
        world.add(a_dedicated_site())
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert database_of(world) == database
    assert world.frappe.databases() == {database}
    assert fetched(world, "acme.example.com") == 200
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1


def test_a_changed_image_of_the_bench_migrates_the_site_while_its_mariadb_runs() -> None:
    world = a_settled_world()
    server = world.get_existing(Ref(POD, "default", f"{SERVER}-0"))["metadata"]["uid"]
    world.edit(BENCH, "forge", {"spec": {"imageConfig": {"repository": "example.com/erp", "tag": "v15.60.0"}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert [each for each in world.frappe.ledger if each.what == "migrated"]
    assert world.frappe.mixed == []
    assert world.get_existing(Ref(POD, "default", f"{SERVER}-0"))["metadata"]["uid"] == server


def test_a_site_that_is_kept_takes_up_its_server_and_all_that_is_in_it() -> None:
    world = a_settled_world()
    database, root = database_of(world), world.get_existing(Ref(SECRET, "default", "acme-db-root"))
    claim = world.get_existing(Ref(PVC, "default", CLAIM))["metadata"]["uid"]
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []
    left = [ref.name for ref in world.children() if ref.name.startswith("acme") or ref.name == CLAIM]
    assert sorted(left) == [
        "acme-admin",
        "acme-db-connection",
        "acme-db-root",
        "acme-files",
        CLAIM,
    ]
    assert all(ref.kind in DATA for ref in world.children() if ref.name in left)
    assert f"{SERVER}-0" not in [pod["metadata"]["name"] for pod in world.all(POD)]
    world.add(a_dedicated_site())
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert database_of(world) == database
    assert world.get_existing(Ref(PVC, "default", CLAIM))["metadata"]["uid"] == claim
    assert world.get_existing(Ref(SECRET, "default", "acme-db-root"))["data"] == root["data"]
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
    assert fetched(world, "acme.example.com") == 200


def test_a_site_that_is_to_be_deleted_takes_its_server_along_and_nothing_of_others() -> None:
    others = (a_dedicated_site("bolt"), a_site("cog"))
    world = a_settled_world(*others, deletionPolicy="Delete")
    rest = {ref for ref in world.children() if "acme" not in ref.name and ref.kind in DATA}
    world.delete(SITE, "acme")
    settle(world)
    assert [ref for ref in world.children() if "acme" in ref.name] == []
    assert {ref for ref in world.children() if ref.kind in DATA} == rest
    made = [write.ref.name for write in world.writes if write.ref.kind == JOB and write.code == 201]
    assert "acme-drop" not in made, "the database goes with its volume, and the bench's MariaDB is not asked"
    for name in ("bolt", "cog"):
        assert fetched(world, f"{name}.example.com") == 200
    world.assert_no_writes(600)


def test_the_server_ends_after_the_last_worker() -> None:
    world = a_settled_world(deletionPolicy="Delete")
    world.kubelet.slow = {"acme-worker-long-*"}
    world.delete(SITE, "acme")
    world.run(600)
    assert "acme-worker-long-" in world.condition("Deleted", "acme", SITE).message
    assert world.get(STATEFUL_SET, SERVER) is not None
    world.kubelet.slow = {f"{SERVER}-0"}
    world.changed()
    world.run(600)
    assert world.condition("Deleted", "acme", SITE).message == f"Waiting for {SERVER}-0 to terminate"
    assert world.get(PVC, CLAIM) is not None
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert world.all(SITE) == []
    assert world.get(PVC, CLAIM) is None


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
@pytest.mark.parametrize("gone", ["server", "bench", "statefulset"])
def test_a_site_goes_although_its_server_or_bench_is_gone(policy: str, gone: str) -> None:
    world = a_settled_world(deletionPolicy=policy)
    if gone == "server":
        breaks(world, f"{SERVER}-*")
    elif gone == "bench":
        world.delete(BENCH, "forge")
        world.edit(BENCH, "forge", {"metadata": {"finalizers": None}})
    world.delete(SITE, "acme")
    if gone == "statefulset":
        world.delete(STATEFUL_SET, SERVER)
    settle(world)
    assert world.all(SITE) == []
    assert (world.get(PVC, CLAIM) is None) == (policy == "Delete")


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_site_goes_while_its_statefulset_is_recreated(policy: str) -> None:
    world = a_settled_world(deletionPolicy=policy)
    world.delete(SITE, "acme")
    # As for a larger volume: its pod is left for the next StatefulSet.
    world.delete(STATEFUL_SET, SERVER, propagation="Orphan")
    settle(world)
    assert world.all(SITE) == []
    assert world.get(POD, f"{SERVER}-0") is None
    assert (world.get(PVC, CLAIM) is None) == (policy == "Delete")


def test_a_volume_that_was_there_before_is_not_deleted_with_the_site() -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    planted = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}
    world = a_settled_world(planted, deletionPolicy="Delete")
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []
    assert world.get(PVC, CLAIM) is not None


@pytest.mark.parametrize(("first", "then"), [("shared", "dedicated"), ("dedicated", "shared")])
def test_retained_data_is_not_taken_up_in_another_mode(first: str, then: str) -> None:
    world = a_world(a_bench(), a_site(dbConfig={"mode": first}))
    settle(world)
    databases = world.frappe.databases()
    world.delete(SITE, "acme")
    settle(world)
    world.add(a_site(dbConfig={"mode": then}))
    settle(world)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "InvalidSpec")
    words = {"shared": "the dbConfig of that one", "dedicated": "dbConfig.mode: dedicated"}[first]
    assert f"create this FrappeSite with {words} to use it again" in said.message
    assert world.frappe.databases() == databases
    world.delete(SITE, "acme")
    settle(world)
    world.add(a_site(dbConfig={"mode": first}))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.frappe.databases() == databases
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1


def test_a_server_of_a_kind_that_is_not_known_is_not_replaced_by_one_that_is() -> None:
    world = a_settled_world()
    world.delete(SITE, "acme")
    settle(world)
    for kind, name in ((PVC, "acme-files"), (SECRET, "acme-db-connection")):
        world.edit(kind, name, {"metadata": {"labels": {SERVER_KIND_LABEL: "Newer"}}})
    world.add(a_dedicated_site())
    settle(world)
    said = world.condition("DatabaseReady", "acme", SITE)
    assert (said.status, said.reason) == ("False", "InvalidSpec")
    assert "records that the site has a database server of the kind Newer" in said.message
    assert world.get(STATEFUL_SET, SERVER) is None
    assert world.get(DEPLOYMENT, "acme-gunicorn") is None
    labels = world.get_existing(Ref(PVC, "default", "acme-files"))["metadata"]["labels"]
    assert labels[SERVER_KIND_LABEL] == "Newer"
