"""The selection of plans that run against the real API server."""

from collections.abc import Iterator

import pytest
import structlog

from fakecluster.faults import Fault, StepFault, WatchFault
from tests.faults import __main__ as program
from tests.faults.generate_plans import EVER, TROUBLES, WATCH_TROUBLES
from tests.faults.real_plans import adapted_to_real_time, chosen, plans
from tests.faults.scenarios import REAL


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_every_scenario_is_played_for_real_and_every_kind_of_trouble_happens() -> None:
    wanted = chosen(REAL, program.REAL_PLANS)
    assert len(set(wanted)) == program.REAL_PLANS
    assert {plan.scenario for plan in wanted} == set(REAL)
    alone = [plan.faults[0] for plan in wanted if len(plan.faults) == 1]
    requests = {(fault.what, fault.after, fault.times) for fault in alone if isinstance(fault, Fault)}
    real = [fault for fault in map(adapted_to_real_time, TROUBLES) if isinstance(fault, Fault)]
    assert requests >= {(fault.what, fault.after, fault.times) for fault in real}
    assert {fault.what for fault in alone if isinstance(fault, WatchFault)} == set(WATCH_TROUBLES)
    assert {fault.what for fault in alone if isinstance(fault, StepFault)} == {"restart", "twin", "hurry"}
    assert any(len(plan.faults) > 2 for plan in wanted)


def test_they_are_the_same_each_time() -> None:
    assert chosen(["scaled", "scaled, deleted"], 20) == chosen(["scaled", "scaled, deleted"], 20)


def test_what_only_virtual_time_can_do_does_not_happen_in_them() -> None:
    assert adapted_to_real_time(Fault("500", times=6, back=EVER)) == Fault("500", times=3)
    assert adapted_to_real_time(WatchFault("delay", seconds=30.0)) == WatchFault("delay", seconds=5.0)
    assert adapted_to_real_time(StepFault("twin", 1, 40.0)) == StepFault("twin", 1, 10.0)
    assert {plan.seed for plan in plans("scaled")} == {0}
