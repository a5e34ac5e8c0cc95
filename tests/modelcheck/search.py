"""Breadth-first over all states, and from each of them a fair run to its end."""

import re
import time
from array import array
from collections import deque
from collections.abc import Callable
from struct import Struct

from tests.modelcheck import properties
from tests.modelcheck.model import Model
from tests.modelcheck.objects import Numbered
from tests.modelcheck.properties import Violation
from tests.modelcheck.state import ENVIRONMENT, MutableState, State

LONGEST_RUN = 400
"""Steps of a fair run; one that takes longer never ends."""
PACKED = Struct("8I")
WROTE = re.compile("(create|apply|finalizers|status|delete) .*: 20[01].*")
"""A write that was done, if only to say the same again."""


class Search:
    """What was found from one beginning."""

    def __init__(self, model: Model, most: int = 10_000_000) -> None:
        """`most`: states after which the search ends, complete or not."""
        self._model = model
        self._most = most
        self._numbers: dict[bytes, int] = {}
        """Every state that was met, by its eight numbers."""
        self._from = array("I")
        self._by = array("I")
        """How each state was first met: from which one, and by what."""
        self._words = Numbered()
        self._good: set[bytes] = set()
        """States from which a fair run is known to arrive."""
        self._ends: set[bytes] = set()
        self.transitions = 0
        self.complete = False
        self.depth = 0

    @property
    def states(self) -> int:
        return len(self._numbers)

    @property
    def ends(self) -> int:
        """Different ends of fair runs."""
        return len(self._ends)

    def run(self, progress: Callable[["Search"], None] = lambda search: None) -> None:
        """Raises Violation, with the shortest path to it."""
        model = self._model
        todo = deque([model.first])
        self._meet(model.first, 0, "")
        depth_ends, told = 1, time.monotonic()
        number = 0
        while todo:
            if number == depth_ends:
                self.depth, depth_ends = self.depth + 1, self.states
            if time.monotonic() - told > 5:
                told = time.monotonic()
                progress(self)
            state = todo.popleft()
            try:
                self._goes_well(state)
                for what, after in model.next(state):
                    self.transitions += 1
                    if self.states < self._most and self._meet(after, number, what):
                        todo.append(after)
            except Violation as violation:
                violation.path = [*self._path(number), *violation.path]
                raise
            number += 1
        self.complete = self.states < self._most

    def _meet(self, state: State, number: int, what: str) -> bool:
        packed = PACKED.pack(*state)
        if packed in self._numbers:
            return False
        self._numbers[packed] = len(self._numbers)
        self._from.append(number)
        self._by.append(self._words.number(what))
        return True

    def _path(self, number: int) -> list[str]:
        steps = []
        while number:
            steps.append(self._words[self._by[number]])
            number = self._from[number]
        return steps[::-1]

    def _goes_well(self, state: State) -> None:
        """A fair run from here arrives, and then nothing is written, also by a process that has just started."""
        steps: list[str] = []
        passed: list[bytes] = []
        try:
            end = self._follow(state, steps, passed)
            if end is not None:
                self._is_the_end(end)
        except Violation as violation:
            violation.path = [*(f"(then fairly) {step}" for step in steps), *violation.path]
            raise
        self._good.update(passed)

    def _follow(self, state: State, steps: list[str], passed: list[bytes]) -> State | None:
        """Where the fair run comes to rest. None: it comes by a state that is known to be good."""
        met: dict[bytes, State] = {}
        while True:
            packed = PACKED.pack(*state)
            if packed in self._good:
                return None
            if packed in met:
                return self._resting(met, state)
            met[packed] = state
            passed.append(packed)
            after = self._model.fair(state)
            if after is None:
                return state
            if len(steps) > LONGEST_RUN:
                raise Violation("a fair run does not end")
            steps.append(after[0])
            state = after[1]

    def _resting(self, met: dict[bytes, State], state: State) -> State:
        """A run that goes in a circle is at rest when it only looks: something is in the way and has no events."""
        states = list(met.values())
        if any(each[:ENVIRONMENT] != state[:ENVIRONMENT] for each in states[states.index(state) :]):
            raise Violation("a fair run goes round in circles, and writes")
        return state

    def _is_the_end(self, state: State) -> None:
        if wrong := properties.arrived(MutableState(self._model, state)):
            raise Violation(f"a fair run ends, and {wrong}")
        packed = PACKED.pack(*state)
        if packed in self._ends:
            return
        self._ends.add(packed)
        steps = ["(in the end) the operator starts again"]
        again, met = self._model.restarted(state), set()
        while again not in met:
            met.add(again)
            after = self._model.fair(again)
            if after is None:
                return
            what, again = after
            steps.append(what)
            if WROTE.fullmatch(what):
                violation = Violation("everything is as it should be, and a new process writes")
                violation.path = steps
                raise violation
