"""Plays plans: one from its beginning, or many of one scenario, each branching off where its first fault is due.

A play without faults is the trunk. Whenever it comes to where a plan begins to differ, the process forks: the child
goes on under that plan, to its end, and tells what came of it. So a plan costs what comes after its fault, and is
played exactly as it would be from the beginning.
"""

import asyncio
import functools
import gc
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

import msgspec

from fakecluster.faults import Course
from fakecluster.world import ProductOf, World, product
from tests.faults import scenarios
from tests.faults.evidence import Evidence, Witness
from tests.faults.generate_plans import Trace, named
from tests.faults.oracles import ORACLES, Oracle
from tests.faults.plan import Plan
from tests.faults.scenarios import SCENARIOS, Scenario

LONGEST_SECONDS = 120
"""Of real time: a play that takes longer hangs."""


class Outcome(NamedTuple):
    """What came of a plan."""

    plan: Plan
    failures: dict[str, list[str]]
    """By name of the oracle, what is not as it must be."""
    happened: list[str]

    @property
    def ok(self) -> bool:
        return not self.failures


class Reference(NamedTuple):
    """A scenario in which nothing goes wrong."""

    evidence: Evidence
    trace: Trace


@functools.cache
def reference(name: str) -> Reference:
    """What a scenario is like when nothing goes wrong, and what it is made of."""
    scenario, course, witness = SCENARIOS[name], Course(), Witness()
    world = _world(witness, course, seed=0)
    try:
        scenarios.play(scenario, world, until=scenario.prelude)
        requests, before = len(world.server.requests), dict(course.events)
        scenarios.play(scenario, world, since=scenario.prelude)
        trace = Trace(
            tuple(named(world.server.requests))[requests:],
            {kind: (before.get(kind, 0), number) for kind, number in course.events.items()},
        )
        evidence = witness.evidence(world)
    finally:
        world.end()
    return Reference(evidence, trace)


def judged(plan: Plan, seen: Evidence) -> Outcome:
    """What the oracles say."""
    return verdict(plan, seen, reference(plan.scenario).evidence)


def verdict(plan: Plan, seen: Evidence, wanted: Evidence, oracles: Sequence[Oracle] = ORACLES) -> Outcome:
    """The same, where the reference is at hand."""
    said = {oracle.__name__: list(oracle(seen, wanted)) for oracle in oracles}
    return Outcome(plan, {name: complaints for name, complaints in said.items() if complaints}, seen.happened)


def play(plan: Plan, operator: ProductOf = product) -> Outcome:
    """Play one plan from its beginning."""
    witness = Witness(operator)
    world = _world(witness, Course(plan.faults), plan.seed)
    try:
        seen = _played(SCENARIOS[plan.scenario], world, witness)
    finally:
        world.end()
    return judged(plan, seen)


def play_all(plans: Sequence[Plan]) -> Iterator[Outcome]:
    """Play plans of one scenario and one seed, in the order in which their first faults are due."""
    name, seed = plans[0].scenario, plans[0].seed
    reference(name)
    # Children live too short to collect anything, and what they only read is not copied for them.
    gc.freeze()
    gc.disable()
    branches = _Branches(plans)
    witness = Witness()
    world = _world(witness, Course((), [plan.faults for plan in plans], branches.branch), seed)
    try:
        seen = _played(SCENARIOS[name], world, witness)
        if branches.mine is not None:
            branches.tell(judged(branches.mine, seen))
    except BaseException:
        if branches.mine is not None:
            branches.tell(Outcome(branches.mine, {"the play itself": [traceback.format_exc()]}, []))
        raise
    finally:
        world.end()
    yield from branches.outcomes
    for plan in branches.left:
        yield Outcome(plan, {"something_went_wrong": ["no fault of the plan has happened"]}, [])


class _Branches:
    """The children that play the plans, one at a time."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.mine: Plan | None = None
        """In a child, the plan that it plays."""
        self.outcomes: list[Outcome] = []
        self._plans = dict(enumerate(plans))
        self._told = -1

    @property
    def left(self) -> list[Plan]:
        """Plans that were never due."""
        return list(self._plans.values())

    def branch(self, number: int) -> bool:
        """In the child: yes. In the parent, once the child has told what came of it: no."""
        plan = self._plans.pop(number)
        read, write = os.pipe()
        loop = asyncio._get_running_loop()
        child = os.fork()
        if child == 0:
            os.close(read)
            signal.alarm(LONGEST_SECONDS)
            # A loop does not run in the child of a fork, as far as asyncio knows. This one does.
            asyncio._set_running_loop(loop)
            self.mine, self._told = plan, write
            return True
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        if told:
            self.outcomes.append(Outcome(plan, *msgspec.msgpack.decode(told)))
        else:
            self.outcomes.append(Outcome(plan, {"the play itself": [f"it was ended, status {status}"]}, []))
        return False

    def tell(self, outcome: Outcome) -> NoReturn:
        """The child's last words."""
        with os.fdopen(self._told, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode(outcome[1:]))
        os._exit(0)


def _world(witness: Witness, course: Course, seed: int) -> World:
    witness.listen()
    world = scenarios.empty_world(controllers=witness.controllers, plan=course, seed=seed)
    witness.attend(world)
    return world


def _played(scenario: Scenario, world: World, witness: Witness) -> Evidence:
    trouble = ""
    try:
        scenarios.play(scenario, world)
    except Exception as error:
        trouble = f"{type(error).__name__}: {error}"
    return witness.evidence(world, trouble)
