"""Each site has its own queues and Redis keys, which no other site reads and which are deleted with it."""

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.components.storage import QUEUES_LABEL
from frappe_operator.kube.kinds import JOB, PVC
from tests.world.site_state import breaks


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
    world.assert_no_writes(600)


def test_a_site_of_an_earlier_operator_keeps_its_queue() -> None:
    """Then the site's name was the prefix, and the claim said nothing."""
    world = a_world()
    settle(world)
    world.edit(PVC, "acme-files", {"metadata": {"labels": {QUEUES_LABEL: None}}})
    settle(world)
    assert world.frappe.enqueue("acme", "one") == "rq:queue:acme:default"
    world.assert_no_writes(600)


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


def test_two_sites_of_a_bench_have_queues_of_their_own() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    settle(world)
    prefixes = {site["bench_id"] for disk in world.frappe.disks.values() for site in disk.get("sites", {}).values()}
    assert {prefix.rpartition("-")[0] for prefix in prefixes} == {"acme", "bolt"}
