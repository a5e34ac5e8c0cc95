"""Whatever goes wrong, wherever: the end is the same, each once-only effect happened once, and then all is quiet.

Plans are learned from a run in which nothing goes wrong: every write it makes is hit, before it is sent or after the
server has done it. Each part of a scenario takes every so-many-th write, so that parts can run side by side.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest

from frappe_operator.kube.kinds import BENCH, EVENT, SITE, Manifest
from tests.world.faults import Fault, WatchFault
from tests.world.harness import World
from tests.world.objects import a_bench, a_site, a_world

PARTS = 6
LONG = 400.0
"""Seconds: longer than the longest pause between two tries."""


class End(NamedTuple):
    """What two runs have in common when they end the same."""

    picture: dict[str, Manifest]
    effects: list[tuple[str, str]]
    made: Counter[str]
    deleted: Counter[str]


def end(world: World) -> End:
    """How a world ended. Events are told apart from the rest: one may be lost with the process that would send it."""
    made: Counter[str] = Counter()
    deleted: Counter[str] = Counter()
    for write in world.writes:
        if write.ref.kind == EVENT or not write.changed:
            continue
        if write.code == 201:
            made[str(write.ref)] += 1
        elif write.verb == "delete":
            deleted[str(write.ref)] += 1
    return End(world.picture(), sorted(world.frappe.ledger), made, deleted)


def created(world: World) -> None:
    """A bench and a site, from nothing."""
    world.settle(LONG)


def changed(world: World) -> None:
    """A settled site gets more pods and another host."""
    world.settle(LONG)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 2}, "domain": "shop.example.com"}})
    world.settle(LONG)


def deleted(world: World) -> None:
    """A settled site goes, with its data."""
    world.settle(LONG)
    world.edit(SITE, "acme", {"spec": {"deletionPolicy": "Delete"}})
    world.delete(SITE, "acme")
    world.settle(LONG)
    assert world.all(SITE) == []
    assert world.frappe.databases() == set()


def kept(world: World) -> None:
    """A settled site goes, and its bench; both come again, and the site serves its old data."""
    world.settle(LONG)
    world.delete(SITE, "acme")
    world.delete(BENCH, "forge")
    world.settle(LONG)
    world.add(a_bench(), a_site())
    world.settle(LONG)


SCENARIOS: dict[str, Callable[[World], None]] = {
    "created": created,
    "changed": changed,
    "deleted": deleted,
    "kept": kept,
}
REFERENCES: dict[str, tuple[End, range]] = {}


def reference(name: str) -> tuple[End, range]:
    """The end of a scenario in which nothing goes wrong, and the numbers of the writes that are its own."""
    if name not in REFERENCES:
        world = a_world()
        if name != "created":
            # What leads to the settled world is a scenario of its own.
            created(world)
        first = len(world.writes) + 1
        SCENARIOS[name](world)
        REFERENCES[name] = end(world), range(first, len(world.writes) + 1)
        world.end()
    return REFERENCES[name]


def goes_the_same_way(name: str, *plan: Fault | WatchFault, seed: int = 0) -> None:
    """Play a scenario in which things go wrong; it must end as if they had not."""
    expected, _ = reference(name)
    world = a_world(plan=plan, seed=seed)
    SCENARIOS[name](world)
    found = end(world)
    told = (plan, world.faults.happened)
    assert world.faults.happened, told
    assert found.picture == expected.picture, told
    assert found.effects == expected.effects, told
    assert found.made == expected.made, told
    assert found.deleted == expected.deleted, told
    world.quiet(60)
    world.end()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_operator_dies_after_any_write(name: str, part: int) -> None:
    _, writes = reference(name)
    for nth in writes[part::PARTS]:
        goes_the_same_way(name, Fault("crash", nth=nth, after=True))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_operator_dies_before_any_write(part: int) -> None:
    _, writes = reference("created")
    for nth in writes[part::PARTS]:
        goes_the_same_way("created", Fault("crash", nth=nth))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_operator_dies_twenty_times(name: str) -> None:
    _, writes = reference(name)
    step = max(1, len(writes) // 20)
    goes_the_same_way(name, *(Fault("crash", nth=nth, after=bool(nth % 2)) for nth in writes[::step][:20]))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("what", ["409", "429", "500", "503", "timeout", "reset", "cut"])
def test_every_fifth_write_fails(name: str, what: str) -> None:
    _, writes = reference(name)
    plan = [Fault(what, nth=nth, after=bool(nth % 2)) for nth in writes[1::5]]  # type: ignore[arg-type]
    goes_the_same_way(name, *plan)


@pytest.mark.parametrize("what", ["500", "timeout", "reset", "cut"])
def test_reads_fail(what: str) -> None:
    plan = [Fault(what, verb=verb, times=3) for verb in ("get", "list")]  # type: ignore[arg-type]
    goes_the_same_way("created", *plan)


@pytest.mark.parametrize("what", ["drop", "double", "delay", "swap", "gone", "silent"])
@pytest.mark.parametrize(
    "kind", ["FrappeBench", "FrappeSite", "PersistentVolumeClaim", "Job", "Pod", "Deployment", "Secret", "ConfigMap"]
)
def test_watches_go_wrong(what: str, kind: str) -> None:
    goes_the_same_way("created", WatchFault(what, kind=kind, times=2))  # type: ignore[arg-type]
