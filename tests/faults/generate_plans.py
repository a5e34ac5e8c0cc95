"""Generates plans from a run without faults: every request in it is hit, before and after the server has handled it."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fakecluster.apiserver.requests import ApiRequest
from fakecluster.faults import WRITES, Fault, StepFault, WatchFault, WatchTrouble
from frappe_operator.kube import kinds
from tests.faults.plan import Plan
from tests.faults.scenarios import CHANGE_IMAGE, CREATE, SCENARIOS, Scenario

EVER = 1_000_000
"""More writes than any run has: the next process is shown the initial state."""

TROUBLES: tuple[Fault, ...] = (
    Fault("crash"),
    Fault("crash", after=True),
    Fault("crash", after=True, back=1),
    Fault("crash", after=True, back=8),
    Fault("crash", after=True, back=EVER),
    Fault("403"),
    Fault("409"),
    Fault("429", retry_after=7),
    Fault("500"),
    Fault("500", after=True),
    Fault("500", times=6),
    Fault("503", retry_after=2),
    Fault("timeout"),
    Fault("timeout", after=True),
    Fault("reset"),
    Fault("reset", after=True),
    Fault("cut"),
)
"""What happens to every write. Their number and the quarter's step have no common divisor."""
EVENT_TROUBLES = (Fault("crash"), Fault("crash", after=True), Fault("500"))
"""What happens to Events, which are never sent again."""
READ_TROUBLES = (
    Fault("crash"),
    Fault("403"),
    Fault("429", retry_after=7),
    Fault("500"),
    Fault("timeout"),
    Fault("cut"),
)
WATCH_TROUBLES: tuple[WatchTrouble, ...] = ("drop", "double", "delay", "swap", "gone", "silent")
TWIN_SECONDS = (2.0, 40.0)
TWIN_SEEDS = 4
STORMS = 6
STORM_FAULTS = 8
QUARTER = 4


class Request(NamedTuple):
    """One request, as a fault names it."""

    verb: str
    kind: str
    name: str
    nth: int

    def hit(self, trouble: Fault) -> Fault:
        """The fault, happening to this request."""
        return Fault(
            what=trouble.what,
            verb=self.verb,
            kind=self.kind,
            name=self.name,
            nth=self.nth,
            times=trouble.times,
            after=trouble.after,
            retry_after=trouble.retry_after,
            back=trouble.back,
            seconds=trouble.seconds,
        )


class Trace(NamedTuple):
    """The requests and events of a run without faults."""

    requests: tuple[Request, ...]
    """In order, those of the steps after the prelude."""
    events: dict[str, tuple[int, int]]
    """By kind: number of watch events before those steps, and in total."""


def named(asked: Iterable[ApiRequest]) -> Iterator[Request]:
    """Requests by object and number."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for each in asked:
        # The names of Events and Pods are never the same twice.
        what = each.verb, each.kind.kind, "" if each.kind in (kinds.EVENT, kinds.POD) else each.name
        seen[what] += 1
        yield Request(*what, seen[what])


def plans(name: str, trace: Trace) -> list[Plan]:
    """Every plan of a scenario; those of one request are next to each other."""
    scenario = SCENARIOS[name]
    found = [Plan(name, faults) for faults in between(scenario)]
    if scenario.whole:
        found += [Plan(name, (fault,)) for fault in of_writes(trace)]
        found += [Plan(name, (fault,)) for fault in of_reads(trace)]
        found += [Plan(name, (fault,)) for fault in of_watches(trace)]
    found += [Plan(name, faults, seed) for seed, faults in of_twins(scenario)]
    if scenario.whole:
        found += [Plan(name, faults, seed) for seed, faults in of_storms(trace)]
    return found


def quarter(found: Sequence[Plan]) -> list[Plan]:
    """Every fourth plan: each write is hit, each kind of fault happens, each scenario runs."""
    return list(found[::QUARTER])


def of_writes(trace: Trace) -> Iterator[Fault]:
    """Everything that may happen to a write, for every write."""
    for request in trace.requests:
        if request.verb in WRITES:
            troubles = EVENT_TROUBLES if request.kind == kinds.EVENT.kind else TROUBLES
            yield from (request.hit(trouble) for trouble in troubles)


def of_reads(trace: Trace) -> Iterator[Fault]:
    """What may happen to a read, for each object that is read."""
    first = {request[:3]: request for request in reversed(trace.requests) if request.verb in ("get", "list")}
    for request in first.values():
        yield from (request.hit(trouble) for trouble in READ_TROUBLES)


def of_watches(trace: Trace) -> Iterator[WatchFault]:
    """What may happen to watches: at the first event, in the middle, at the last."""
    for kind, (before, after) in sorted(trace.events.items()):
        if before < after:
            places = sorted({before + 1, (before + 1 + after) // 2, after})
            yield from (WatchFault(what, kind, nth) for what in WATCH_TROUBLES for nth in places)


def between(scenario: Scenario) -> Iterator[tuple[StepFault, ...]]:
    """Faults between the steps."""
    for step in range(scenario.prelude, len(scenario.steps)):
        for back in (0, 1, 8, EVER):
            yield (StepFault("restart", step, back=back),)
        # Of an image that has hardly been asked for, nobody can say whether it was looked into before the next one.
        first_image = step and scenario.steps[step - 1 : step + 1] == (CREATE, CHANGE_IMAGE)
        if not scenario.whole and not first_image:
            for seconds in (0.05, 0.5, 5.0):
                yield (StepFault("hurry", step, seconds),)
                yield StepFault("hurry", step, seconds), StepFault("restart", step)


def of_twins(scenario: Scenario) -> Iterator[tuple[int, tuple[StepFault, ...]]]:
    """A second process beside the first, from the beginning of a step."""
    for step in range(scenario.prelude, len(scenario.steps)):
        for seconds in TWIN_SECONDS:
            for seed in range(TWIN_SEEDS):
                yield seed, (StepFault("twin", step, seconds),)


def of_storms(trace: Trace) -> Iterator[tuple[int, tuple[Fault | WatchFault, ...]]]:
    """Many random faults at once, each time with another order of the cluster's actions."""
    for seed in range(1, STORMS + 1):
        dice = random.Random(f"{seed} {len(trace.requests)}")
        requests = [each for each in trace.requests if each.verb != "watch" and each.kind != kinds.EVENT.kind]
        hit = [dice.choice(requests).hit(dice.choice(TROUBLES)) for _ in range(STORM_FAULTS)]
        kinds_watched = sorted(kind for kind, (before, after) in trace.events.items() if before < after)
        broken = [
            WatchFault(dice.choice(WATCH_TROUBLES), dice.choice(kinds_watched), dice.randint(1, 9))
            for _ in range(STORM_FAULTS // 2)
        ]
        yield seed, (*hit, *broken)
