"""Benches and sites, from two objects to a site that answers, and whatever people do to them after."""

import json
from collections import Counter
from collections.abc import Awaitable

import pytest

from fakecluster.controllers.kubelet import Exit, image_digest
from fakecluster.controllers.volumes import storage_class
from fakecluster.frappe import Effect
from fakecluster.samples import CONNECTION, EXTERNAL, a_bench, a_site, a_world
from fakecluster.world import ControllersOf, World, operator_controllers, settle
from frappe_operator.cli import rbac
from frappe_operator.components import redis
from frappe_operator.components.storage import QUEUES_LABEL
from frappe_operator.kube.kinds import (
    BENCH,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    INGRESS,
    JOB,
    NAMESPACE,
    POD,
    PVC,
    SECRET,
    SERVICE,
    SITE,
    STATEFUL_SET,
    Key,
    Kind,
    Manifest,
    Ref,
)
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Reconcile

DATA = (PVC, SECRET)
"""Kinds of children that hold what cannot be made again."""


def recording_reconciles(reconciled: list[Key]) -> ControllersOf:
    """The operator, which notes each look."""

    def controllers(world: World) -> list[Controller]:
        return [each._replace(reconcile=noted(each.reconcile)) for each in operator_controllers(world)]

    def noted(reconcile: Reconcile) -> Reconcile:
        def look(cluster: Cluster, key: Key) -> Awaitable[float | None]:
            reconciled.append(key)
            return reconcile(cluster, key)

        return look

    return controllers


def breaks(world: World, *pods: str) -> None:
    """From now on the pods of these names cannot run, and all others can."""
    world.kubelet.broken = set(pods)
    world.changed()


def fetched(world: World, host: str) -> int:
    """The status with which the bench's proxy answers a ping for a host."""
    service = world.get_existing(Ref(SERVICE, "default", "forge-nginx"))
    url = f"http://{service['spec']['clusterIP']}:8080/api/method/ping"
    return int(world.loop.drive(world.frappe.fetch(url, host)).status)


def test_a_bench_and_a_site_become_ready_and_then_nothing_is_written() -> None:
    world = a_world()
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    assert fetched(world, "acme.example.com") == 200
    assert fetched(world, "other.example.com") == 404
    world.quiet(600)


def test_a_bench_and_a_site_of_one_name_become_ready_side_by_side() -> None:
    world = a_world(a_bench("acme"), a_site("acme", bench="acme"))
    settle(world)
    assert world.condition("Ready", "acme", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    world.quiet(600)


def test_when_all_goes_well_there_is_no_warning_and_one_event_each() -> None:
    world = a_world(a_bench())
    settle(world)
    world.add(a_site())
    settle(world)
    told = [world.api.get(ref).obj for ref in world.api.store.refs() if ref.kind == EVENT]
    said = sorted((each["regarding"]["name"], each["type"], each["action"], each["reason"]) for each in told)
    # The bench gets a MariaDB with its first site, until that answers is not Ready, and then is again.
    assert said == [(name, "Normal", "Ready", "Ready") for name in ("acme", "forge", "forge")]
    assert [
        each
        for each in world.server.requests
        if each.subresource == "status" and b"DatabaseUnavailable" in (each.body or b"")
    ] == []


def test_a_new_process_asks_for_each_owner_once_at_most() -> None:
    world = a_world()
    world.run(3)
    world.crash()
    settle(world)
    asked = Counter(each.name for each in world.server.requests if each.verb == "get" and each.kind in (BENCH, SITE))
    assert set(asked.values()) == {1}, "of the first process's nothing is asked: it set the finalizers itself"


def test_everything_that_is_asked_for_is_among_the_rights_of_the_operator() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    world.run(3)
    world.crash()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"aliases": ["shop.example.com"]}})
    settle(world)
    world.delete(SITE, "acme")
    world.delete(BENCH, "forge")
    settle(world)
    rights = rbac.needed()
    verbs = {"apply": "patch"}
    asked = {(each.kind, each.subresource, verbs.get(each.verb, each.verb)) for each in world.server.requests}
    assert {verb for _, _, verb in asked} >= {"get", "list", "watch", "create", "patch", "delete"}
    assert [each for each in asked if each[2] not in rights.get(each[:2], ())] == []


def test_an_image_job_whose_word_was_lost_is_made_again_but_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    said = world.frappe.inspect_image
    silent = [2]

    def inspect_image(pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        silent[0] -= 1
        return said(pod, flags) if silent[0] < 0 else (True, "", {})

    monkeypatch.setattr(world.frappe, "inspect_image", inspect_image)
    settle(world, 120)
    assert world.condition("Ready", "forge", BENCH).ok
    assert [write.ref.kind for write in world.writes if write.verb == "delete"] == [JOB, JOB]


def test_volumes_that_wait_for_a_pod_hold_nothing_up() -> None:
    world = a_world(storage=[storage_class(volumeBindingMode="WaitForFirstConsumer")])
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_restart_writes_nothing_to_a_settled_world() -> None:
    world = a_world()
    settle(world)
    world.crash()
    world.quiet(600)
    assert world.starts == 2


def test_each_of_three_sites_answers_on_its_own_host() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"), a_site("cask"))
    settle(world)
    for name in ("acme", "bolt", "cask"):
        assert world.condition("Ready", name, SITE).ok
        assert fetched(world, f"{name}.example.com") == 200
    assert len(world.frappe.databases()) == 3
    world.quiet(600)


def test_the_order_in_which_objects_are_made_does_not_matter() -> None:
    first = a_world(a_bench(), a_site())
    settle(first)
    later = a_world(a_site())
    settle(later)
    assert later.condition("Ready").reason == "BenchNotFound"
    assert later.children() == []
    later.add(a_bench())
    settle(later)
    assert later.condition("Ready", "acme", SITE).ok
    assert {str(ref) for ref in later.children()} == {str(ref) for ref in first.children()}


@pytest.mark.parametrize("seed", range(1, 5))
def test_every_order_of_things_ends_in_the_same_world(seed: int) -> None:
    reference, world = a_world(), a_world(seed=seed)
    settle(reference)
    settle(world)
    assert world.comparable_objects() == reference.comparable_objects()
    assert sorted(world.frappe.ledger) == sorted(reference.frappe.ledger)


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
    world.quiet(600)


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
    world.quiet(600)


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
    world.quiet(600)


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
    world.quiet(600)


def test_after_each_change_of_image_pages_name_the_assets_of_the_one_that_runs() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    settle(world)
    assert world.frappe.page("acme").partition("@")[0].endswith("version-15")
    for version in ("version-15-b", "version-15-c"):
        world.edit(BENCH, "forge", {"spec": {"frappeVersion": version}})
        settle(world)
        for name in ("acme", "bolt"):
            assert world.condition("Ready", name, SITE).ok
            assert world.frappe.page(name).partition("@")[0].endswith(version)
        assert len(world.all(JOB, "acme-assets-*")) == 1, "that of the image before is gone"
        world.quiet(600)


def test_what_a_pod_of_the_earlier_image_caches_while_it_ends_does_not_stay() -> None:
    world = a_world()
    settle(world)
    earlier = world.frappe.page("acme")
    world.kubelet.slow = {"acme-worker-long-*"}
    world.edit(BENCH, "forge", {"spec": {"frappeVersion": "version-15-b"}})
    world.run(600)
    assert world.condition("Ready", "acme", SITE).ok, "a worker may take half an hour to finish its job"
    assert world.frappe.page("acme").partition("@")[0].endswith("version-15-b")
    world.frappe.caches_assets(earlier)
    since = ready_since(world)
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert ready_since(world) == since
    assert world.frappe.page("acme").partition("@")[0].endswith("version-15-b")


def ready_since(world: World) -> str:
    """When acme became Ready."""
    site = world.get(SITE, "acme")
    assert site is not None
    (ready,) = [each for each in site["status"]["conditions"] if each["type"] == "Ready" and each["status"] == "True"]
    return str(ready["lastTransitionTime"])


def test_a_job_of_a_deleted_site_is_not_executed_by_a_new_one_of_its_name() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"), a_site("bolt"))
    settle(world)
    before = world.frappe.enqueue("acme", "send the invoices")
    world.frappe.enqueue("bolt", "its own")
    theirs = {key for key in world.frappe.redis_keys() if "acme" not in key}
    assert len(theirs) == 3, "bolt's queue, and what each of both has cached"
    world.delete(SITE, "acme")
    settle(world)
    world.add(a_site("acme", deletionPolicy="Delete"))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.frappe.executed("acme") == []
    assert world.frappe.executed("bolt") == ["its own"]
    assert len(world.frappe.redis_keys()) == 2
    assert world.frappe.enqueue("acme", "a new one") != before


def test_a_retained_site_keeps_its_queue_and_what_waits_in_it() -> None:
    world = a_world()
    settle(world)
    queue = world.frappe.enqueue("acme", "send the invoices")
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(JOB, "acme-*") == []
    world.add(a_site())
    settle(world)
    assert world.frappe.executed("acme") == ["send the invoices"]
    assert world.frappe.enqueue("acme", "another") == queue
    world.quiet(600)


def test_a_site_of_an_earlier_operator_keeps_its_queue() -> None:
    """Then the site's name was the prefix, and the claim said nothing."""
    world = a_world()
    settle(world)
    world.edit(PVC, "acme-files", {"metadata": {"labels": {QUEUES_LABEL: None}}})
    settle(world)
    assert world.frappe.enqueue("acme", "one") == "rq:queue:acme:default"
    world.quiet(600)


def test_a_deleted_site_stays_while_redis_does_not_answer_and_says_so() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    settle(world)
    world.frappe.enqueue("acme", "send the invoices")
    breaks(world, "forge-redis-queue-*")
    world.delete(SITE, "acme")
    world.run(300)
    said = world.condition("Deleted", "acme", SITE)
    assert (said.status, said.reason) == ("False", "RedisUnavailable")
    assert "forge-redis-queue" in said.message
    assert world.get(PVC, "acme-files") is not None
    breaks(world)
    settle(world)
    assert world.all(SITE) == []
    assert world.frappe.redis_keys() == set()


def test_a_deleted_site_whose_redis_servers_are_gone_is_let_go() -> None:
    world = a_world(a_bench(), a_site("acme", deletionPolicy="Delete"))
    settle(world)
    world.delete(BENCH, "forge")
    world.edit(BENCH, "forge", {"metadata": {"finalizers": None}})
    settle(world)
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(SITE) == []


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


def test_a_bench_with_sites_stays_until_they_are_gone() -> None:
    world = a_world()
    settle(world)
    world.delete(BENCH, "forge")
    settle(world)
    said = world.condition("Ready", "forge", BENCH)
    assert said.reason == "SitesRemain"
    assert "acme" in said.message
    assert fetched(world, "acme.example.com") == 200
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(BENCH) == []


def test_a_bench_that_waits_for_its_sites_stays_whole() -> None:
    world = a_world()
    settle(world)
    before = world.comparable_objects()
    world.delete(BENCH, "forge")
    settle(world)
    assert world.condition("Deleted", "forge", BENCH).reason == "SitesRemain"
    for ref in world.children("forge"):
        if ref.kind not in (*DATA, JOB):
            world.delete(ref.kind, ref.name)
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": {"nginx": 2}}})
    settle(world)
    assert world.get_existing(Ref(DEPLOYMENT, "default", "forge-nginx"))["status"]["readyReplicas"] == 2
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": None}})
    settle(world)
    children = {f"{ref.namespace}/{ref}" for ref in world.children()}
    after = world.comparable_objects()
    assert {name: after[name] for name in children} == {name: before[name] for name in children}
    assert world.condition("Ready", "forge", BENCH).reason == "SitesRemain"
    assert world.condition("ProxyReady", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    asked = len(world.server.requests)
    world.edit(BENCH, "forge", {"metadata": {"annotations": {"somebody": "was here"}}})
    world.quiet(600)
    assert [each.verb for each in world.server.requests[asked:] if each.verb != "watch"] == []


def test_a_new_site_of_a_bench_that_goes_is_told_at_once_and_holds_up_nothing_of_the_others() -> None:
    world = a_world()
    settle(world)
    world.delete(BENCH, "forge")
    world.run(5)
    world.add(a_site("late"))
    settle(world)
    said = world.condition("BenchReady", "late", SITE)
    assert (said.status, said.reason) == ("False", "BenchDeleting")
    assert "FrappeBench forge is being deleted" in said.message
    assert world.condition("Stalled", "late", SITE).ok
    assert [ref for ref in world.children() if ref.name.startswith("late")] == []
    assert world.condition("Ready", "acme", SITE).ok
    world.delete(SITE, "acme")
    world.delete(SITE, "late")
    settle(world)
    assert world.all(BENCH) == []


def test_of_a_bench_that_is_deleted_in_the_foreground_nothing_is_made_before_all_is_taken_away() -> None:
    world = a_world()
    settle(world)
    world.kubelet.slow = {"forge-nginx-*"}
    world.delete(BENCH, "forge", propagation="Foreground")
    world.run(60)
    said = world.condition("Deleted", "forge", BENCH)
    assert said.reason == "SitesRemain"
    assert "deleted in the foreground" in said.message
    assert world.get(SERVICE, "forge-redis-cache") is None
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert "foreground" not in world.condition("Deleted", "forge", BENCH).message
    assert world.condition("ProxyReady", "forge", BENCH).ok
    world.delete(SITE, "acme")
    settle(world)
    assert world.all(BENCH) == []


def test_a_bench_goes_whatever_sites_another_has() -> None:
    world = a_world(a_bench("forge"), a_bench("mill"), a_site("acme", bench="mill"))
    settle(world)
    world.delete(BENCH, "forge")
    settle(world)
    assert [bench["metadata"]["name"] for bench in world.all(BENCH)] == ["mill"]


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_namespace_goes_with_everything_in_it(policy: str) -> None:
    bench, site = a_bench(), a_site(deletionPolicy=policy)
    for obj in (bench, site):
        obj["metadata"]["namespace"] = "tenant"
    world = a_world(bench, site)
    settle(world)
    world.delete(NAMESPACE, "tenant", "")
    settle(world, quiet=400)
    assert world.get(NAMESPACE, "tenant", "") is None


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


def test_a_site_that_does_not_answer_is_not_ready_until_it_does() -> None:
    world = a_world()
    world.frappe.silent = {"acme"}
    world.run(300)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NotAnswering")
    world.frappe.silent = set()
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_changed_site_is_asked_again_before_it_is_called_ready() -> None:
    """Another alias changes no pod: that the site has answered before says nothing about it."""
    world = a_world()
    settle(world)
    world.frappe.stale = {pod["metadata"]["name"] for pod in world.all(POD, "forge-nginx-*")}
    world.edit(SITE, "acme", {"spec": {"aliases": ["www.example.com"]}})
    world.run(300)
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "RouteNotServed")
    assert "www.example.com" in said.message


def test_a_site_is_not_routed_while_one_proxy_does_not_know_its_host() -> None:
    world = a_world(a_bench(componentReplicas={"nginx": 2}), a_site("acme"))
    settle(world)
    first, second = (pod["metadata"]["name"] for pod in world.all(POD, "forge-nginx-*"))
    world.frappe.stale = {second}
    world.add(a_site("bolt"))
    world.run(300)
    said = world.condition("Routed", "bolt", SITE)
    assert (said.status, said.reason) == ("False", "RouteNotServed")
    assert second in said.message
    assert first not in said.message
    world.frappe.stale = set()
    world.changed()
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_site_whose_name_means_something_to_nginx_is_reached_like_any_other() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt", siteName="default"))
    settle(world)
    assert fetched(world, "default") == 200
    assert fetched(world, "acme.example.com") == 200
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_site_whose_host_nginx_refuses_says_where_to_look_and_keeps_nobody_out() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    world.frappe.refused = {"bolt.example.com"}
    world.run(600)
    said = world.condition("Routed", "bolt", SITE)
    assert (said.status, said.reason) == ("False", "RouteNotServed")
    assert "does not know bolt.example.com: nginx refused entries of its maps, which its log names" in said.message
    assert world.condition("Ready", "acme", SITE).ok


def test_two_sites_of_a_bench_have_queues_of_their_own() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    settle(world)
    prefixes = {site["bench_id"] for disk in world.frappe.disks.values() for site in disk.get("sites", {}).values()}
    assert {prefix.rpartition("-")[0] for prefix in prefixes} == {"acme", "bolt"}


def test_nobody_is_asked_before_what_is_wanted_is_written() -> None:
    """A proxy that does not answer may take ten seconds for each host; an edit does not wait for it."""
    world = a_world()
    settle(world)
    before = len(world.server.requests)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 2}}})
    settle(world)
    done = [(each.verb, each.kind, each.name) for each in world.server.requests[before:]]
    assert done.index(("apply", DEPLOYMENT, "acme-gunicorn")) < done.index(("list", POD, ""))


@pytest.mark.parametrize("before", [0, 1])
def test_a_site_without_web_servers_says_so_and_is_not_asked_for_ever(before: int) -> None:
    world = a_world(a_bench(), a_site(componentReplicas={"gunicorn": before}))
    settle(world)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 0}}})
    settle(world)
    serving = world.condition("Serving", "acme", SITE)
    assert serving.reason == "NotAnswering"
    assert "componentReplicas.gunicorn is 0" in serving.message
    assert world.condition("Routed", "acme", SITE).ok
    asked = len(world.server.requests)
    world.quiet(60)
    assert all(each.verb == "watch" for each in world.server.requests[asked:])
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 1}}})
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


def test_the_older_of_two_sites_has_the_host() -> None:
    world = a_world(a_bench(), a_site("acme"))
    settle(world)
    world.add(a_site("bolt", domain="ACME.example.com."))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).reason == "HostTaken"
    assert world.get(INGRESS, "bolt") is None
    assert fetched(world, "acme.example.com") == 200
    world.delete(SITE, "acme")
    settle(world)
    assert world.condition("Routed", "bolt", SITE).ok


def test_a_host_that_becomes_free_goes_to_the_next_whatever_its_bench() -> None:
    world = a_world(a_bench("forge"), a_bench("mill"), a_site("acme"))
    settle(world)
    world.add(a_site("bolt", bench="mill", domain="acme.example.com"))
    settle(world)
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    world.delete(SITE, "acme")
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_host_that_another_suffix_makes_free_goes_to_the_next_whatever_its_bench() -> None:
    suffixed = a_bench("forge", domainConfig={"suffix": ".example.com"})
    world = a_world(suffixed, a_bench("mill"), a_site("acme", siteName="acme"))
    settle(world)
    world.add(a_site("bolt", bench="mill", domain="acme.example.com"))
    settle(world)
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    world.edit(BENCH, "forge", {"spec": {"domainConfig": {"suffix": ".example.net"}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.condition("Ready", "bolt", SITE).ok


def test_a_site_more_is_no_news_to_the_others() -> None:
    reconciled: list[Key] = []
    world = a_world(a_bench(), a_site("acme"), controllers=recording_reconciles(reconciled))
    settle(world)
    assert Key("default", "acme") in reconciled
    reconciled.clear()
    world.add(a_site("bolt"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert world.get_existing(Ref(BENCH, "default", "forge"))["status"]["sites"] == 2
    assert Key("default", "acme") not in reconciled


def test_what_becomes_of_a_site_is_no_news_to_its_bench() -> None:
    reconciled: list[Key] = []
    world = a_world(controllers=recording_reconciles(reconciled))
    settle(world)
    reconciled.clear()
    world.edit(SITE, "acme", {"status": {"phase": "Odd"}}, subresource="status")
    settle(world)
    assert set(reconciled) == {Key("default", "acme")}


def test_a_site_that_asks_for_the_host_of_another_loses_its_own_route() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    settle(world)
    world.edit(SITE, "bolt", {"spec": {"domain": "acme.example.com"}})
    settle(world)
    hosts = world.get_existing(Ref(CONFIG_MAP, "default", "forge-nginx"))["data"]["hosts.map"]
    assert hosts == "acme.example.com acme-gunicorn;\n", "nginx takes no map that has a host twice"
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    assert world.get(INGRESS, "bolt") is None
    assert fetched(world, "bolt.example.com") == 404
    assert fetched(world, "acme.example.com") == 200


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


def test_a_new_image_is_looked_into_and_rolled_out() -> None:
    world = a_world()
    settle(world)
    world.edit(BENCH, "forge", {"spec": {"imageConfig": {"repository": "example.com/erp", "tag": "v15.60.0"}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    images = {
        container["image"]
        for pod in world.all(POD, "acme-*")
        if pod["status"]["phase"] == "Running"
        for container in pod["spec"]["containers"]
    }
    assert images == {f"example.com/erp:v15.60.0@{image_digest('example.com/erp:v15.60.0')}"}
    assert len(world.all(JOB, "forge-image-*")) == 1
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
    world.quiet(600)


def test_what_the_spec_no_longer_says_goes_from_the_pods() -> None:
    world = a_world(a_bench(imageConfig={"pullSecrets": [{"name": "registry"}]}), a_site())
    settle(world)
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    assert front["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    world.edit(BENCH, "forge", {"spec": {"imageConfig": None}})
    settle(world)
    front = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))
    assert "imagePullSecrets" not in front["spec"]["template"]["spec"]
    world.quiet(600)


def test_passwords_are_nowhere_but_in_secrets() -> None:
    world = a_world()
    settle(world)
    shown = [
        str(ref)
        for ref in world.api.store.refs()
        if ref.kind != SECRET and "canary" in json.dumps(world.api.get(ref).obj)
    ]
    assert shown == []


def test_a_secret_of_a_database_is_heard_of_at_once_and_read_once() -> None:
    world = a_world(a_bench(), a_site(dbConfig=EXTERNAL))
    settle(world)
    assert world.condition("Ready", "acme", SITE).reason == "SecretNotFound"
    world.add({**CONNECTION, "stringData": {**CONNECTION["stringData"], "password": ""}})
    world.run(2)
    assert world.condition("Ready", "acme", SITE).reason == "SecretInvalid"
    world.edit(SECRET, "ledger", {"stringData": CONNECTION["stringData"]})
    world.run(2)
    assert world.condition("Ready", "acme", SITE).reason not in ("SecretNotFound", "SecretInvalid")
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    before = len(world.server.requests)
    world.edit(SITE, "acme", {"metadata": {"annotations": {"somebody": "was here"}}})
    world.run(5)
    assert [each for each in world.server.requests[before:] if each.verb != "watch"] == []


def test_one_site_that_fails_holds_no_other_up() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    world.frappe.script = {"acme-create": [None]}
    settle(world)
    assert not world.condition("Ready", "acme", SITE).ok
    assert world.condition("Ready", "bolt", SITE).ok
    assert world.get(STATEFUL_SET, "forge-mariadb") is not None


def configured(world: World) -> Manifest:
    """What Frappe reads of the site acme's configuration."""
    (found,) = [disk["sites"] for disk in world.frappe.disks.values() if "acme.example.com" in disk.get("sites", {})]
    configuration: Manifest = found["acme.example.com"]
    return configuration


def revisions(world: World) -> dict[str, int]:
    """How often the template of each Deployment has changed."""
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in world.all(DEPLOYMENT)}


def test_a_new_site_knows_its_address_and_needs_no_job_for_it() -> None:
    world = a_world()
    settle(world)
    assert configured(world)["host_name"] == "http://acme.example.com"
    assert world.condition("Configured", "acme", SITE).ok
    assert world.all(JOB, "acme-configure-*") == []


def test_links_follow_the_domain_there_and_back_and_no_pod_restarts() -> None:
    world = a_world()
    settle(world)
    before = revisions(world)
    for domain in ("shop.example.com", "store.example.com", None, "shop.example.com"):
        world.edit(SITE, "acme", {"spec": {"domain": domain}})
        settle(world)
        assert configured(world)["host_name"] == f"http://{domain or 'acme.example.com'}"
        assert world.condition("Ready", "acme", SITE).ok
        assert len(world.all(JOB, "acme-configure-*")) == 1
    assert revisions(world) == before
    world.quiet(600)


def test_an_address_that_could_not_be_brought_in_yet_is_not_forgotten() -> None:
    """Back at the address it was created with, nothing but the Job of the address between tells what it has."""
    world = a_world()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"domain": "shop.example.com"}})
    settle(world)
    breaks(world, "forge-redis-*")
    settle(world)
    world.edit(SITE, "acme", {"spec": {"domain": None}})
    settle(world)
    assert configured(world)["host_name"] == "http://shop.example.com"
    assert world.condition("Configured", "acme", SITE).reason == "Waiting"
    world.crash()
    breaks(world)
    settle(world)
    assert configured(world)["host_name"] == "http://acme.example.com"
    assert world.condition("Ready", "acme", SITE).ok


def test_a_rotated_password_reaches_a_running_site() -> None:
    world = a_world(CONNECTION, a_bench(), a_site(dbConfig=EXTERNAL))
    settle(world)
    before = revisions(world)
    world.frappe.external["db.example.com"] = "rotated-canary"
    assert fetched(world, "acme.example.com") == 500
    world.edit(SECRET, "ledger", {"stringData": {"password": "rotated-canary"}})
    settle(world)
    assert fetched(world, "acme.example.com") == 200
    assert world.condition("Ready", "acme", SITE).ok
    assert revisions(world) == before
    world.quiet(600)


def test_a_wrong_password_in_a_secret_does_not_take_a_running_site_down() -> None:
    world = a_world(CONNECTION, a_bench(), a_site(dbConfig=EXTERNAL))
    settle(world)
    world.edit(SECRET, "ledger", {"stringData": {"password": "mistyped-canary"}})
    settle(world)
    said = world.condition("Ready", "acme", SITE)
    assert said == world.condition("Configured", "acme", SITE)
    assert (said.status, said.reason) == ("False", "DatabaseRefused")
    assert fetched(world, "acme.example.com") == 200
    world.delete(DEPLOYMENT, "acme-socketio")
    settle(world)
    assert world.get(DEPLOYMENT, "acme-socketio") is not None, "what runs is kept running meanwhile"
    world.edit(SECRET, "ledger", {"stringData": CONNECTION["stringData"]})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_another_password_in_our_own_connection_secret_becomes_the_password() -> None:
    world = a_world()
    settle(world)
    world.edit(SECRET, "acme-db-connection", {"stringData": {"password": "chosen-canary"}})
    settle(world)
    assert configured(world)["connection"]["password"] == "chosen-canary"
    assert fetched(world, "acme.example.com") == 200
    assert world.condition("Ready", "acme", SITE).ok
    world.quiet(600)


@pytest.mark.parametrize("retained", [False, True])
def test_a_lost_connection_secret_is_made_again_for_the_same_database(retained: bool) -> None:
    world = a_world()
    settle(world)
    databases, before = world.frappe.databases(), configured(world)["connection"]
    if retained:
        world.delete(SITE, "acme")
        settle(world)
    world.delete(SECRET, "acme-db-connection")
    if retained:
        world.add(a_site())
    settle(world)
    assert world.frappe.databases() == databases
    after = configured(world)["connection"]
    assert after["database"] == before["database"]
    assert after["password"] != before["password"]
    assert fetched(world, "acme.example.com") == 200
    assert world.condition("Ready", "acme", SITE).ok
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
    world.quiet(600)


def test_a_connection_secret_that_is_lost_while_the_site_is_made_is_made_again_too() -> None:
    world = a_world()
    world.frappe.script = {"acme-create": [None]}
    settle(world)
    world.delete(SECRET, "acme-db-connection")
    settle(world)
    world.frappe.script = {}
    world.changed()
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert fetched(world, "acme.example.com") == 200


@pytest.mark.parametrize("retained", [False, True])
def test_a_lost_admin_secret_is_not_made_again(retained: bool) -> None:
    world = a_world()
    settle(world)
    password = world.get_existing(Ref(SECRET, "default", "acme-admin"))["data"]
    if retained:
        world.delete(SITE, "acme")
        settle(world)
    world.delete(SECRET, "acme-admin")
    if retained:
        world.add(a_site())
    settle(world)
    assert world.get(SECRET, "acme-admin") is None
    said = world.condition("Ready", "acme", SITE)
    assert (said.status, said.reason) == ("False", "SecretNotFound")
    assert "set-admin-password" in said.message
    assert world.condition("Serving", "acme", SITE).ok
    world.delete(DEPLOYMENT, "acme-socketio")
    settle(world)
    assert world.get(DEPLOYMENT, "acme-socketio") is not None
    world.quiet(600)
    words = said.message.split("the labels ")[1].split(". If")[0]
    labels = dict(each.split("=") for each in words.split(","))
    meta = {"name": "acme-admin", "labels": labels}
    world.add({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": password})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_lost_root_password_is_made_again_and_mariadb_restarts_with_it() -> None:
    world = a_world()
    settle(world)
    before, queue = revisions(world), world.get(STATEFUL_SET, "forge-redis-queue")
    world.kubelet.slow = {"forge-mariadb-0"}
    world.delete(SECRET, "forge-mariadb-root")
    world.run(30)
    said = world.condition("DatabaseReady", "forge", BENCH)
    assert (said.status, said.reason) == ("False", "DatabaseUnavailable")
    assert "MariaDB restarts to take up root's password in Secret forge-mariadb-root" in said.message
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    world.add(a_site("bolt"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok, "which root has made a database for"
    assert {**revisions(world), **before} == revisions(world), "and no pod of a site restarts"
    assert world.get(STATEFUL_SET, "forge-redis-queue") == queue
    world.quiet(600)


def test_a_retained_database_takes_up_the_password_of_a_new_bench() -> None:
    world = a_world()
    settle(world)
    databases = world.frappe.databases()
    world.delete(SITE, "acme")
    world.delete(BENCH, "forge")
    settle(world)
    world.delete(SECRET, "forge-mariadb-root")
    world.add(a_bench())
    world.add(a_site())
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.frappe.databases() == databases


@pytest.mark.parametrize("change", ["lost", "edited"])
def test_another_password_of_redis_restarts_both_servers_and_then_every_pod_of_the_sites(change: str) -> None:
    world = a_world(a_bench(), a_site(), a_site("bolt"))
    settle(world)
    assert not world.frappe.refused_by_redis()
    queue = world.frappe.enqueue("acme", "a job")
    created, mariadb = set(world.frappe.ledger), world.get(POD, "forge-mariadb-0")
    if change == "lost":
        world.delete(SECRET, "forge-redis")
    else:
        conf = f"requirepass {redis.word('chosen-canary')}\n"
        world.edit(SECRET, "forge-redis", {"stringData": {"password": "chosen-canary", "redis.conf": conf}})
    settle(world)
    assert not world.frappe.refused_by_redis()
    for name, kind in (("forge", BENCH), ("acme", SITE), ("bolt", SITE)):
        assert world.condition("Ready", name, kind).ok
    assert queue in world.frappe.redis_keys(), "what is queued outlives it"
    assert set(world.frappe.ledger) == created
    after = world.get(POD, "forge-mariadb-0")
    assert after is not None
    assert mariadb is not None
    assert after["metadata"]["uid"] == mariadb["metadata"]["uid"]
    world.quiet(600)


def test_no_pod_of_a_new_bench_is_started_twice_for_its_passwords() -> None:
    world = a_world()
    settle(world)
    sets = {f"forge-{name}" for name in ("redis-cache", "redis-queue", "mariadb")}
    for name in sets:
        assert world.get_existing(Ref(STATEFUL_SET, "default", name))["metadata"]["generation"] == 1
    for part in ("gunicorn", "socketio", "scheduler", "worker-default"):
        assert world.get_existing(Ref(DEPLOYMENT, "default", f"acme-{part}"))["metadata"]["generation"] == 1


def test_two_passwords_in_the_secret_of_redis_restart_nothing() -> None:
    world = a_world()
    settle(world)
    before, queue = revisions(world), world.get(STATEFUL_SET, "forge-redis-queue")
    found = world.get_existing(Ref(SECRET, "default", "forge-redis"))["data"]
    world.edit(SECRET, "forge-redis", {"stringData": {"password": "chosen-canary"}})
    settle(world)
    said = world.condition("CacheReady", "forge", BENCH)
    assert (said.status, said.reason) == ("False", "SecretInvalid")
    assert "do not say the same password" in said.message
    assert revisions(world) == before
    assert world.get(STATEFUL_SET, "forge-redis-queue") == queue
    world.edit(SECRET, "forge-redis", {"data": found})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert not world.frappe.refused_by_redis()


def test_a_site_that_was_never_made_gets_a_password_when_it_is_taken_up() -> None:
    """What was left behind is an empty volume: there is nothing that a new password could not fit."""
    world = a_world()
    world.frappe.script = {"acme-create": [None]}
    settle(world)
    world.delete(SITE, "acme")
    settle(world)
    world.delete(SECRET, "acme-admin")
    world.frappe.script = {}
    world.add(a_site())
    settle(world, quiet=400)
    assert world.condition("Ready", "acme", SITE).ok
    assert world.get(SECRET, "acme-admin") is not None


def test_a_ready_site_in_maintenance_mode_is_found_and_asked_less_and_less_until_it_answers() -> None:
    world = a_world()
    settle(world)
    world.frappe.maintenance = {"acme"}
    world.run(130)
    said = world.condition("Ready", "acme", SITE)
    assert said == world.condition("Serving", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NotAnswering")
    assert "HTTP 503: Frappe is in maintenance mode" in said.message
    world.run(300)
    asked = len(world.server.requests)
    world.quiet(300)
    lists = [each for each in world.server.requests[asked:] if each.verb == "list"]
    assert 4 <= len(lists) <= 6, "the proxies' addresses are listed for each question: once a minute by now"
    world.frappe.maintenance = set()
    world.run(65)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_locked_database_account_makes_a_ready_site_unready() -> None:
    world = a_world(CONNECTION, a_bench(), a_site(dbConfig=EXTERNAL))
    settle(world)
    world.frappe.external["db.example.com"] = "locked"
    world.run(130)
    said = world.condition("Serving", "acme", SITE)
    assert (said.status, said.reason) == ("False", "NotAnswering")
    assert "HTTP 500" in said.message


def test_sites_that_answer_are_asked_for_ever_and_nothing_else_happens() -> None:
    reconciled: list[Key] = []
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"), controllers=recording_reconciles(reconciled))
    settle(world)
    reconciled.clear()
    before = len(world.server.requests)
    pings = world.frappe.pings.copy()
    world.run(1200)
    assert reconciled == []
    assert [each for each in world.server.requests[before:] if each.verb != "watch"] == []
    for host in ("acme.example.com", "bolt.example.com"):
        assert 15 <= world.frappe.pings[host] - pings[host] <= 20, "once a minute each, for twenty minutes"


def test_a_site_that_is_stopped_on_purpose_is_not_asked() -> None:
    world = a_world()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 0}}})
    settle(world)
    pings = world.frappe.pings.copy()
    world.run(600)
    assert world.frappe.pings == pings
