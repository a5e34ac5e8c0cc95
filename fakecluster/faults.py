"""Faults between the operator and the API server: a bad network, a busy server, a process that crashes.

A plan is a list of faults, each one object of JSON. It is generated from a run without faults: the n-th request of a
verb, a kind, a name is the same one in every run of the same seed. A `FaultRun` is a run under a plan; it outlives the
operator's processes, each of which reaches the API server through a `FaultyTransport` of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from fakecluster.apiserver.requests import ApiRequest
from frappe_operator.kube.kinds import Kind

WRITES = ("create", "apply", "patch", "update", "delete")

What = Literal["crash", "403", "409", "429", "500", "503", "timeout", "reset", "cut"]
WatchTrouble = Literal["drop", "double", "delay", "swap", "gone", "silent"]
StepTrouble = Literal["restart", "twin", "hurry"]


class Fault(Struct, frozen=True, omit_defaults=True, tag_field="at", tag="request"):
    """A fault of requests."""

    what: What
    """`crash`: the process dies; a status code; `timeout`, `reset`; `cut`: half of the answer is missing."""
    verb: str = "write"
    """A verb, or `write` for any that writes, or `any`."""
    kind: str = ""
    name: str = ""
    """Empty for any, as for Events and Pods, whose names are never the same twice."""
    nth: int = 1
    """The first request this happens to, of those that match, counted from 1."""
    times: int = 1
    after: bool = False
    """The server has handled the request; only the response is lost."""
    retry_after: int = 0
    """Seconds, for 429 and 503."""
    back: int = 0
    """For `crash`: what the next process is shown first is the cluster as it was so many writes ago."""
    seconds: float = 5.0
    """How long it is shown that."""

    def meets(self, request: ApiRequest) -> bool:
        """Whether a request is one of those this fault is about."""
        verbs = WRITES if self.verb == "write" else (self.verb,)
        return (
            (self.verb == "any" or request.verb in verbs)
            and self.kind in ("", request.kind.kind)
            and self.name in ("", request.name)
        )

    def __str__(self) -> str:
        which = " ".join(word for word in (self.verb, self.kind, self.name) if word)
        number = f"number {self.nth}" if self.times == 1 else f"numbers {self.nth} to {self.nth + self.times - 1}"
        back = f", then shown {self.seconds:g} s of what was {self.back} writes ago" if self.back else ""
        return f"{self.what} {'after' if self.after else 'before'} {which}, {number}{back}"


class WatchFault(Struct, frozen=True, omit_defaults=True, tag_field="at", tag="watch"):
    """A fault of watches."""

    what: WatchTrouble
    """`drop`: the connection breaks; `double`: an event comes twice; `delay`: it comes late; `swap`: it comes after the
    next one; `gone`: the version is too old; `silent`: no event comes any more, and the connection stays open."""
    kind: str = ""
    nth: int = 1
    """The first event this happens to, of the kind's watches together, counted from 1; bookmarks are not counted."""
    times: int = 1
    seconds: float = 30.0
    """How late, for `delay`."""

    def __str__(self) -> str:
        return f"{self.what} at event {self.nth} of the watches of {self.kind or 'any kind'}, {self.times} times"


class StepFault(Struct, frozen=True, omit_defaults=True, tag_field="at", tag="step"):
    """A fault as a step of a scenario begins."""

    what: StepTrouble
    """`restart`: the process dies, and the step is done while there is none; `twin`: a second process works beside the
    first as leader, too; `hurry`: the step begins before the cluster has settled after the last one."""
    step: int
    """Steps are counted from 0."""
    seconds: float = 5.0
    """After the step before, for `hurry`; how long, for `twin`; as for a crash, for `restart`."""
    back: int = 0
    """For `restart`: as for a crash."""

    def __str__(self) -> str:
        back = f", then shown what was {self.back} writes ago" if self.back else ""
        return f"{self.what} at step {self.step} ({self.seconds:g} s){back}"


AnyFault = Fault | WatchFault | StepFault


class FaultRun:
    """A run under a plan: which of its faults are due, and what has happened of them.

    The run can be many: of `others`, each is told to `branch` as the first of its faults comes due. Where that says
    yes (in the child of a fork, that is), this run goes on under the other's plan; where it says no, without.
    """

    def __init__(
        self,
        plan: Iterable[AnyFault] = (),
        others: Iterable[Sequence[AnyFault]] = (),
        branch: Callable[[int], bool] = lambda number: False,
    ) -> None:
        self.happened: list[str] = []
        """The faults that have happened so far."""
        self.stale_start: tuple[int, float] = 0, 0.0
        """How many writes back the next process begins, and for how long it is held there."""
        self.events: dict[str, int] = {}
        """By kind, how many events its watches have brought."""
        self.withheld_streams = 0
        """How many streams hold back events of the server."""
        self._mine = _CountedPlan(plan)
        self._others = {number: _CountedPlan(faults) for number, faults in enumerate(others)}
        self._branch = branch

    @contextmanager
    def withholding_events(self) -> Iterator[None]:
        """Marks that a stream holds back events of the server."""
        self.withheld_streams += 1
        try:
            yield
        finally:
            self.withheld_streams -= 1

    def of_request(self, request: ApiRequest) -> Fault | None:
        """The fault that happens to a request, if any."""
        fault = self._due(lambda fault: isinstance(fault, Fault) and fault.meets(request))
        return fault if isinstance(fault, Fault) else None

    def of_event(self, kind: Kind) -> WatchFault | None:
        """The fault that happens to the next event of a kind's watch, if any."""
        self.events[kind.kind] = self.events.get(kind.kind, 0) + 1
        fault = self._due(lambda fault: isinstance(fault, WatchFault) and fault.kind in ("", kind.kind))
        return fault if isinstance(fault, WatchFault) else None

    def of_step(self, step: int, *what: StepTrouble) -> list[StepFault]:
        """The faults that happen as a step begins, of these types."""
        first = self._due(lambda fault: isinstance(fault, StepFault) and fault.step == step and fault.what in what)
        rest = [fault for fault in self._mine.plan if isinstance(fault, StepFault) and fault.step == step]
        return [fault for fault in rest if fault.what in what] if first else []

    def _due(self, meets: Callable[[AnyFault], bool]) -> AnyFault | None:
        due = self._mine.due(meets)
        for number, other in list(self._others.items()):
            theirs = other.due(meets)
            if theirs is None:
                continue
            del self._others[number]
            if self._branch(number):
                self._mine, self._others = other, {}
                return theirs
        return due


class _CountedPlan:
    """A plan, and how often each of its faults has been met."""

    def __init__(self, plan: Iterable[AnyFault]) -> None:
        self.plan = list(plan)
        self._seen = [0] * len(self.plan)

    def due(self, meets: Callable[[AnyFault], bool]) -> AnyFault | None:
        due = None
        for number, fault in enumerate(self.plan):
            if meets(fault):
                self._seen[number] += 1
                if due is None and _from(fault) <= self._seen[number] < _from(fault) + _times(fault):
                    due = fault
        return due


def _from(fault: AnyFault) -> int:
    return 1 if isinstance(fault, StepFault) else fault.nth


def _times(fault: AnyFault) -> int:
    return 1 if isinstance(fault, StepFault) else fault.times
