"""Passwords stay in Secrets; changed and lost ones reach what uses them."""

import json

import pytest

from fakecluster.frappe import Effect
from fakecluster.samples import CONNECTION, EXTERNAL, a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.components import redis
from frappe_operator.kube.kinds import DEPLOYMENT, JOB, POD, SECRET, STATEFUL_SET, Ref
from tests.world.site_state import configured, fetched, revisions


def test_passwords_are_nowhere_but_in_secrets() -> None:
    world = a_world()
    settle(world)
    shown = [
        str(ref)
        for ref in world.api.store.refs()
        if ref.kind != SECRET and "canary" in json.dumps(world.api.get(ref).obj)
    ]
    assert shown == []


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
    world.assert_no_writes(600)


def test_a_changed_tls_of_an_external_database_reaches_a_running_site() -> None:
    world = a_world(CONNECTION, a_bench(), a_site(dbConfig=EXTERNAL))
    settle(world)
    before = revisions(world)
    world.edit(SITE, "acme", {"spec": {"dbConfig": {"tls": "required"}}})
    settle(world)
    jobs = [each for each in world.all(JOB) if each["metadata"]["name"].startswith("acme-configure-")]
    assert ["--tls=required" in each["spec"]["template"]["spec"]["containers"][0]["args"] for each in jobs] == [True]
    assert world.condition("Ready", "acme", SITE).ok
    assert revisions(world) == before
    world.assert_no_writes(600)


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
    world.assert_no_writes(600)


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
    world.assert_no_writes(600)


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
    world.assert_no_writes(600)
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
    assert "MariaDB is restarting with the new password of root in Secret forge-mariadb-root" in said.message
    world.kubelet.slow = set()
    world.changed()
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    world.add(a_site("bolt"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok, "which root has made a database for"
    assert {**revisions(world), **before} == revisions(world), "and no pod of a site restarts"
    assert world.get(STATEFUL_SET, "forge-redis-queue") == queue
    world.assert_no_writes(600)


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
    world.assert_no_writes(600)


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
    assert "contain different passwords" in said.message
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
