"""The generated plans hit every write with every kind of fault."""

import pytest

from fakecluster.faults import WRITES, Fault, StepFault, WatchFault
from tests.faults.generate_plans import EVENT_TROUBLES, QUARTER, TROUBLES, WATCH_TROUBLES, Request, plans, quarter
from tests.faults.plan import Plan, parse
from tests.faults.run_plans import reference
from tests.faults.scenarios import SCENARIOS


def plans_of(name: str) -> list[Plan]:
    return plans(name, reference(name).trace)


def writes_of(name: str) -> list[Request]:
    return [request for request in reference(name).trace.requests if request.verb in WRITES]


def hits(request: Request, found: list[Plan]) -> list[Fault]:
    """Faults that happen to a request in plans with a single fault."""
    alone = [plan.faults[0] for plan in found if len(plan.faults) == 1]
    return [
        fault
        for fault in alone
        if isinstance(fault, Fault) and (fault.verb, fault.kind, fault.name, fault.nth) == tuple(request)
    ]


def trouble(fault: Fault) -> Fault:
    return Request("write", "", "", 1).hit(fault)


def test_every_write_is_hit_by_everything_that_can_happen_to_it() -> None:
    for request in writes_of("deleted"):
        expected = EVENT_TROUBLES if request.kind == "Event" else TROUBLES
        assert [trouble(fault) for fault in hits(request, plans_of("deleted"))] == list(expected)


def test_every_write_is_hit_before_and_after() -> None:
    for request in writes_of("created"):
        crashes = {fault.after for fault in hits(request, plans_of("created")) if fault.what == "crash"}
        assert crashes == {False, True}


@pytest.mark.parametrize("name", ["created", "deleted", "created again"])
def test_the_quarter_hits_every_write_and_leaves_no_trouble_out(name: str) -> None:
    found = quarter(plans_of(name))
    assert len(found) <= len(plans_of(name)) // QUARTER + 1
    for request in writes_of(name):
        assert request.kind == "Event" or len(hits(request, found)) >= len(TROUBLES) // QUARTER
    happening = {trouble(fault) for plan in found for fault in plan.faults if isinstance(fault, Fault)}
    assert set(TROUBLES) <= happening
    watches = {fault.what for plan in found for fault in plan.faults if isinstance(fault, WatchFault)}
    assert watches == set(WATCH_TROUBLES)
    steps = {fault.what for plan in found for fault in plan.faults if isinstance(fault, StepFault)}
    assert steps >= {"restart", "twin"}


def test_the_step_of_the_quarter_and_the_number_of_troubles_have_no_common_divisor() -> None:
    assert len(TROUBLES) % 2 == 1
    assert QUARTER == 4


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_restarted_and_doubled_between_its_steps(name: str) -> None:
    faults = [fault for plan in plans_of(name) for fault in plan.faults if isinstance(fault, StepFault)]
    last = len(SCENARIOS[name].steps) - 1
    assert {fault.what for fault in faults if fault.step == last} >= {"restart", "twin"}
    assert SCENARIOS[name].whole or "hurry" in {fault.what for fault in faults}


def test_a_plan_is_one_line_and_comes_back_from_it() -> None:
    for plan in plans_of("scaled"):
        line = plan.line()
        assert "\n" not in line
        assert parse(line) == plan


def test_learning_twice_teaches_the_same() -> None:
    first = reference("domain changed").trace
    reference.cache_clear()
    assert reference("domain changed").trace == first
