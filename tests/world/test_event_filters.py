"""Which changes trigger a reconcile of which objects, and that no object delays another."""

from fakecluster.samples import CONNECTION, EXTERNAL, a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import SECRET, STATEFUL_SET, Ref
from frappe_operator.kube.objects import Key
from tests.world.site_state import recording_reconciles


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
