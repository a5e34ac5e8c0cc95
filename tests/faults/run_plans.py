"""Runs plans in memory: one from its beginning, or many of one scenario, each forked where its first fault is due.

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

from fakecluster.faults import FaultRun
from fakecluster.world import ControllersOf, World, operator_controllers
from tests.faults import scenarios
from tests.faults.evidence import Evidence, EvidenceCollector
from tests.faults.generate_plans import Trace, named
from tests.faults.oracles import ORACLES, Oracle
from tests.faults.plan import Plan
from tests.faults.scenarios import SCENARIOS, Scenario

LONGEST_SECONDS = 120
"""Real time after which a run counts as hanging."""


class Outcome(NamedTuple):
    """The result of a plan."""

    plan: Plan
    failures: dict[str, list[str]]
    """Violations by name of the oracle."""
    happened: list[str]

    @property
    def ok(self) -> bool:
        return not self.failures


class Reference(NamedTuple):
    """A run of a scenario without faults."""

    evidence: Evidence
    trace: Trace


@functools.cache
def reference(name: str) -> Reference:
    """The evidence and the requests of a scenario without faults."""
    scenario, fault_run, collector = SCENARIOS[name], FaultRun(), EvidenceCollector()
    world = _world(scenario, collector, fault_run, seed=0)
    try:
        scenarios.run_plan(scenario, world, until=scenario.prelude)
        requests, before = len(world.server.requests), dict(fault_run.events)
        scenarios.run_plan(scenario, world, since=scenario.prelude)
        trace = Trace(
            tuple(named(world.server.requests))[requests:],
            {kind: (before.get(kind, 0), number) for kind, number in fault_run.events.items()},
        )
        evidence = collector.evidence(world)
    finally:
        world.end()
    return Reference(evidence, trace)


def judged(plan: Plan, seen: Evidence) -> Outcome:
    """The outcome of a plan in memory, as the oracles judge its evidence."""
    return verdict(plan, seen, reference(plan.scenario).evidence)


def verdict(plan: Plan, seen: Evidence, wanted: Evidence, oracles: Sequence[Oracle] = ORACLES) -> Outcome:
    """The outcome of a plan, given the evidence of the run without faults."""
    said = {oracle.__name__: list(oracle(seen, wanted)) for oracle in oracles}
    return Outcome(plan, {name: complaints for name, complaints in said.items() if complaints}, seen.happened)


def run_plan(plan: Plan, operator: ControllersOf = operator_controllers) -> Outcome:
    """Runs one plan from its beginning."""
    collector = EvidenceCollector(operator)
    world = _world(SCENARIOS[plan.scenario], collector, FaultRun(plan.faults), plan.seed)
    try:
        seen = _played(SCENARIOS[plan.scenario], world, collector)
    finally:
        world.end()
    return judged(plan, seen)


def run_plans(plans: Sequence[Plan]) -> Iterator[Outcome]:
    """Runs plans of one scenario and one seed, in the order in which their first faults are due."""
    name, seed = plans[0].scenario, plans[0].seed
    reference(name)
    # Children live too short to collect anything, and what they only read is not copied for them.
    gc.freeze()
    gc.disable()
    branches = _Branches(plans)
    collector = EvidenceCollector()
    world = _world(SCENARIOS[name], collector, FaultRun((), [plan.faults for plan in plans], branches.branch), seed)
    try:
        seen = _played(SCENARIOS[name], world, collector)
        if branches.mine is not None:
            branches.print_outcome(judged(branches.mine, seen))
    except BaseException:
        if branches.mine is not None:
            branches.print_outcome(Outcome(branches.mine, {"the play itself": [traceback.format_exc()]}, []))
        raise
    finally:
        world.end()
    yield from branches.outcomes
    for plan in branches.left:
        yield Outcome(plan, {"a_fault_happened": ["no fault of the plan has happened"]}, [])


class _Branches:
    """The child processes that run the plans, one at a time."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.mine: Plan | None = None
        """In a child process, the plan that it runs."""
        self.outcomes: list[Outcome] = []
        self._plans = dict(enumerate(plans))
        self._told = -1

    @property
    def left(self) -> list[Plan]:
        """Plans that were never due."""
        return list(self._plans.values())

    def branch(self, number: int) -> bool:
        """Forks. True in the child; False in the parent, once the child has sent its outcome."""
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

    def print_outcome(self, outcome: Outcome) -> NoReturn:
        """Sends the outcome to the parent and ends the child process."""
        with os.fdopen(self._told, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode(outcome[1:]))
        os._exit(0)


def _world(scenario: Scenario, collector: EvidenceCollector, fault_run: FaultRun, seed: int) -> World:
    collector.listen()
    world = scenarios.empty_world(
        front_door=scenario.front_door, controllers=collector.controllers, plan=fault_run, seed=seed
    )
    collector.attend(world)
    return world


def _played(scenario: Scenario, world: World, collector: EvidenceCollector) -> Evidence:
    trouble = ""
    try:
        scenarios.run_plan(scenario, world)
    except Exception as error:
        trouble = f"{type(error).__name__}: {error}"
    return collector.evidence(world, trouble)
