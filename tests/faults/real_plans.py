"""Which plans run against the real API server: a selection of those in memory, without what needs virtual time."""

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fakecluster.faults import AnyFault, Fault, StepFault, WatchFault
from tests.faults import generate_plans
from tests.faults.plan import Plan
from tests.faults.run_plans import reference
from tests.faults.scenarios import SCENARIOS


def chosen(names: Iterable[str], number: int) -> list[Plan]:
    """`number` plans of these scenarios, generated from runs in memory. The same ones each time."""
    return selected_evenly({name: plans(name) for name in names}, number)


def plans(name: str) -> list[Plan]:
    """Every plan of a scenario in real time, where no seed decides the order of actions."""
    found = [
        Plan(name, tuple(map(adapted_to_real_time, plan.faults)))
        for plan in generate_plans.plans(name, reference(name).trace)
    ]
    return list(dict.fromkeys(found))


def adapted_to_real_time(fault: AnyFault) -> AnyFault:
    """The fault without what a real server cannot do: it shows no earlier state, and no request hangs for ever."""
    change = msgspec.structs.replace
    match fault:
        case Fault():
            shorter = {"times": min(fault.times, 3), "retry_after": min(fault.retry_after, 2)}
            return change(fault, back=0, **shorter)
        case WatchFault():
            return change(fault, seconds=min(fault.seconds, 5.0))
        case StepFault():
            return change(fault, back=0, seconds=min(fault.seconds, 10.0))


def selected_evenly(found: Mapping[str, Sequence[Plan]], number: int) -> list[Plan]:
    """`number` of the plans, spread over scenarios and kinds of fault. The same ones each time."""
    turns: list[list[Plan]] = []
    for name, each in found.items():
        ordered = _in_turns(_by_trouble(each, random.Random(name)))
        # Where only what lies between the steps is tried, there is less to choose from.
        share = 3 if SCENARIOS[name].whole else 1
        turns += [ordered[first::share] for first in range(share)]
    return _in_turns(turns)[:number]


def _by_trouble(found: Sequence[Plan], dice: random.Random) -> list[list[Plan]]:
    kinds: dict[object, list[Plan]] = {}
    for plan in found:
        first = plan.faults[0]
        kind = (len(plan.faults), type(first), first.what, isinstance(first, Fault) and (first.after, first.times))
        kinds.setdefault(kind, []).append(plan)
    groups = [dice.sample(each, len(each)) for each in kinds.values()]
    dice.shuffle(groups)
    return groups


def _in_turns(groups: Iterable[Sequence[Plan]]) -> list[Plan]:
    return [plan for turn in itertools.zip_longest(*groups) for plan in turn if plan is not None]
