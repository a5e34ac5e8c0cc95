"""The runtime in a `World`, with a minimal controller of its own kind."""

import json

import pytest

from fakecluster.faults import Fault, WatchFault
from fakecluster.world import World, settle
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, SECRET, Ref
from tests.world.minimal_controller import TOY, a_toy, a_world

CHILDREN = {"ConfigMap bear-label", "Secret bear-key", "Job bear-sew", "Deployment bear-shelf"}
LONG = 700.0
"""Seconds: longer than any pause between two tries."""


def made(world: World) -> dict[str, int]:
    """How often each object was created."""
    count: dict[str, int] = {}
    for write in world.writes:
        if write.code == 201:
            count[str(write.ref)] = count.get(str(write.ref), 0) + 1
    return {name: number for name, number in count.items() if not name.startswith("Event")}


def ready(world: World) -> bool:
    return all(
        condition["status"] == "True"
        for toy in world.all(TOY)
        for condition in toy["status"]["conditions"]
        if condition["type"] == "Ready"
    )


def test_a_toy_gets_what_it_wants_and_then_nothing_is_written() -> None:
    world = a_world()
    settle(world)
    assert {str(ref) for ref in world.children("bear")} == CHILDREN
    assert ready(world)
    world.assert_no_writes(600)


def test_a_restart_writes_nothing_to_a_settled_world() -> None:
    world = a_world()
    settle(world)
    world.crash()
    world.assert_no_writes(600)
    assert world.starts == 2


def test_a_deleted_child_comes_back() -> None:
    world = a_world()
    settle(world)
    world.delete(CONFIG_MAP, "bear-label")
    world.delete(DEPLOYMENT, "bear-shelf")
    settle(world)
    assert {str(ref) for ref in world.children("bear")} == CHILDREN
    world.assert_no_writes(600)


def test_an_edited_child_is_put_right_and_what_others_added_stays() -> None:
    world = a_world()
    settle(world)
    world.edit(CONFIG_MAP, "bear-label", {"data": {"size": "9", "note": "mine"}})
    world.edit(DEPLOYMENT, "bear-shelf", {"spec": {"replicas": 5}, "metadata": {"annotations": {"a": "b"}}})
    settle(world)
    label, shelf = world.get(CONFIG_MAP, "bear-label"), world.get(DEPLOYMENT, "bear-shelf")
    assert label is not None
    assert label["data"] == {"size": "1", "note": "mine"}
    assert shelf is not None
    assert shelf["spec"]["replicas"] == 1
    assert shelf["metadata"]["annotations"]["a"] == "b"
    world.assert_no_writes(600)


def test_a_changed_spec_reaches_the_children() -> None:
    world = a_world()
    settle(world)
    world.edit(TOY, "bear", {"spec": {"size": 3}})
    settle(world)
    shelf = world.get(DEPLOYMENT, "bear-shelf")
    assert shelf is not None
    assert shelf["status"]["readyReplicas"] == 3
    assert ready(world)


def test_what_is_no_longer_wanted_of_a_child_goes() -> None:
    world = a_world(a_toy(note="fragile"))
    settle(world)
    label = world.get_existing(Ref(CONFIG_MAP, "default", "bear-label"))
    assert label["data"] == {"size": "1", "note": "fragile"}
    world.edit(CONFIG_MAP, "bear-label", {"data": {"color": "blue"}})
    world.edit(TOY, "bear", {"spec": {"note": None}})
    settle(world)
    label = world.get_existing(Ref(CONFIG_MAP, "default", "bear-label"))
    assert label["data"] == {"size": "1", "color": "blue"}
    world.assert_no_writes(600)


def test_a_deleted_toy_takes_its_children_along() -> None:
    world = a_world()
    settle(world)
    world.delete(TOY, "bear")
    settle(world)
    assert world.all(TOY) == []
    assert world.children() == []


def test_a_child_of_another_is_left_alone_and_said() -> None:
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bear-label"}, "data": {"x": "y"}}
    world = a_world(a_toy(), mine)
    settle(world)
    label = world.get(CONFIG_MAP, "bear-label")
    assert label is not None
    assert label["data"] == {"x": "y"}
    assert world.condition("Named", "bear", TOY).reason == "NameConflict"
    assert world.condition("Stalled", "bear", TOY).ok


def test_what_waits_is_held_back_and_what_exists_is_kept_right() -> None:
    world = a_world()
    world.kubelet.program = lambda pod, attempt: None
    settle(world)
    assert world.condition("Sewn", "bear", TOY).reason == "JobRunning"
    assert Ref(DEPLOYMENT, "default", "bear-shelf") not in world.children()
    world.delete(CONFIG_MAP, "bear-label")
    settle(world)
    assert world.get(CONFIG_MAP, "bear-label") is not None


def test_a_secret_is_made_once() -> None:
    world = a_world()
    settle(world)
    before = world.get(SECRET, "bear-key")
    world.edit(TOY, "bear", {"spec": {"size": 2}})
    world.crash()
    settle(world)
    assert world.get(SECRET, "bear-key") == before


WRITES = range(1, 16)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", WRITES)
def test_the_operator_dies_at_any_write_and_the_end_is_the_same(nth: int, after: bool) -> None:
    reference = a_world()
    settle(reference)
    assert len(reference.writes) <= len(WRITES), "more writes than deaths: add some"
    world = a_world(plan=[Fault("crash", nth=nth, after=after)])
    settle(world, LONG)
    if world.faults.happened:
        assert world.starts == 2
    assert world.comparable_objects() == reference.comparable_objects()
    assert made(world) == made(reference)
    world.assert_no_writes(LONG)


@pytest.mark.parametrize("what", ["409", "500", "503", "429", "timeout", "reset", "cut"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 3, 4, 6])
def test_a_bad_network_changes_nothing_in_the_end(what: str, after: bool, nth: int) -> None:
    reference = a_world()
    settle(reference)
    plan = [Fault(what, nth=nth, after=after, times=2)]  # type: ignore[arg-type]
    world = a_world(plan=plan)
    settle(world, LONG)
    assert len(world.faults.happened) == 2
    assert world.comparable_objects() == reference.comparable_objects()
    assert json.dumps(made(world), sort_keys=True) == json.dumps(made(reference), sort_keys=True)
    world.assert_no_writes(LONG)


@pytest.mark.parametrize("what", ["drop", "double", "delay", "swap", "gone", "silent"])
@pytest.mark.parametrize("kind", ["Toy", "ConfigMap", "Secret", "Job", "Deployment"])
def test_a_bad_watch_changes_nothing_in_the_end(what: str, kind: str) -> None:
    reference = a_world()
    settle(reference)
    world = a_world(plan=[WatchFault(what, kind=kind, times=3)])  # type: ignore[arg-type]
    settle(world, LONG)
    assert world.faults.happened
    assert world.comparable_objects() == reference.comparable_objects()
    assert made(world) == made(reference)
    world.edit(TOY, "bear", {"spec": {"size": 2}})
    settle(world, LONG)
    assert ready(world)


@pytest.mark.parametrize("what", ["delay", "silent"])
def test_what_a_watch_keeps_back_is_known(what: str) -> None:
    world = a_world(plan=[WatchFault(what, kind="Toy")])  # type: ignore[arg-type]
    world.edit(TOY, "bear", {"spec": {"size": 2}})
    world.run(1.0)
    assert world.faults.withheld_streams == 1
    settle(world, LONG)
    assert world.faults.withheld_streams == 0


@pytest.mark.parametrize("seed", range(10))
def test_every_order_of_things_ends_in_the_same_world(seed: int) -> None:
    reference = a_world()
    settle(reference)
    world = a_world(seed=seed)
    settle(world)
    assert world.comparable_objects() == reference.comparable_objects()
    assert made(world) == made(reference)


def test_many_toys_settle_fast() -> None:
    world = a_world(*(a_toy(f"toy{number}") for number in range(30)))
    settle(world)
    assert ready(world)
    assert len(world.all(JOB)) == 30
