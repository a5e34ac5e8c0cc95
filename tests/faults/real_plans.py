"""Which plans are played for real: those that are played in memory, as far as real time has them, and some hundred."""

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
    """So many plans of these scenarios, learned from plays in memory. The same ones each time."""
    return spread({name: plans(name) for name in names}, number)


def plans(name: str) -> list[Plan]:
    """Every plan of a scenario in real time, where no seed decides about the order of things."""
    found = [
        Plan(name, tuple(map(in_real_time, plan.faults))) for plan in generate_plans.plans(name, reference(name).trace)
    ]
    return list(dict.fromkeys(found))


def in_real_time(fault: AnyFault) -> AnyFault:
    """The fault as far as it can happen to a real server: its past cannot be shown, and nobody waits for ever."""
    change = msgspec.structs.replace
    match fault:
        case Fault():
            shorter = {"times": min(fault.times, 3), "retry_after": min(fault.retry_after, 2)}
            return change(fault, back=0, **shorter)
        case WatchFault():
            return change(fault, seconds=min(fault.seconds, 5.0))
        case StepFault():
            return change(fault, back=0, seconds=min(fault.seconds, 10.0))


def spread(found: Mapping[str, Sequence[Plan]], number: int) -> list[Plan]:
    """So many of them: scenarios take turns, and in each of them the kinds of trouble. The same ones each time."""
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
