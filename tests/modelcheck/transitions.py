"""The operator's states, and what it goes to from each: every one is run once, and then known.

At rest it is what it remembers. In the middle of a look it is where the look began and all that has come in since; what
a watch told of an object counts only from the next step that touches that object on, so that orders which make no
difference are one state.
"""

from typing import NamedTuple

from tests.modelcheck.kernel import Rest, Run
from tests.modelcheck.minimal_controller import REFS
from tests.modelcheck.objects import ENTRIES, Numbered
from tests.modelcheck.server import Answer, ApiRequest

Events = tuple[int, ...]
"""Versions that a watch told, those of one object in their order."""


class Input(NamedTuple):
    """The watch tells something, then a request is answered."""

    place: int
    answer: Answer
    events: Events


class Busy(NamedTuple):
    """In the middle of a look."""

    start: int
    past: tuple[Input, ...]
    pending: tuple[ApiRequest, ...]
    untouched: Events = ()
    """Told since, of nothing that was looked at after."""


class Failed(Exception):
    """The reconcile raised what it should not."""


class Transitions:
    """All states of the operator that were met so far."""

    def __init__(self) -> None:
        self.states = Numbered()
        self._begun: dict[int, int] = {}
        self._told: dict[tuple[int, int], int] = {}
        self._answered: dict[tuple[int, int, Answer], int] = {}
        self.runs = 0
        """Steps of the real code."""

    def number(self, state: Rest | Busy) -> int:
        return self.states.number(state)

    def __getitem__(self, number: int) -> Rest | Busy:
        state: Rest | Busy = self.states[number]
        return state

    def begin(self, number: int) -> int:
        """A look begins."""
        after = self._begun.get(number)
        if after is None:
            run = self._replay(number, ())
            after = self._begun[number] = self._after(run, number, (), ())
        return after

    def tell(self, number: int, event: int) -> int:
        """The watch tells a version."""
        after = self._told.get((number, event))
        if after is None:
            state = self[number]
            if isinstance(state, Busy):
                mine = ENTRIES[event].part
                later = [each for each in state.untouched if ENTRIES[each].part > mine]
                rest = [each for each in state.untouched if ENTRIES[each].part <= mine]
                after = self.number(state._replace(untouched=(*rest, event, *later)))
            else:
                self.runs += 1
                run = Run(state)
                run.tell(event)
                after = self.number(run.rest())
            self._told[number, event] = after
        return after

    def answer(self, number: int, place: int, answer: Answer) -> int:
        """One of the requests is answered."""
        after = self._answered.get((number, place, answer))
        if after is None:
            state = self[number]
            assert isinstance(state, Busy)
            run = self._replay(state.start, state.past)
            for event in state.untouched:
                run.tell(event)
            assert run.pending == state.pending, "it makes a difference when the watch told of what was not touched"
            run.answer(place, answer)
            # What a step has touched it may hold until the end of the look, and the store changes it in place.
            touched = {index for index, ref in enumerate(REFS) if ref.kind in run.touched}
            bound = tuple(each for each in state.untouched if ENTRIES[each].part in touched)
            free = tuple(each for each in state.untouched if ENTRIES[each].part not in touched)
            after = self._after(run, state.start, (*state.past, Input(place, answer, bound)), free)
            self._answered[number, place, answer] = after
        return after

    def _replay(self, start: int, past: tuple[Input, ...]) -> Run:
        self.runs += 1
        state = self[start]
        assert isinstance(state, Rest)
        run = Run(state)
        run.touched.clear()
        run.begin()
        for place, answer, events in past:
            for event in events:
                run.tell(event)
            run.answer(place, answer)
        return run

    def _after(self, run: Run, start: int, past: tuple[Input, ...], untouched: Events) -> int:
        if not run.done:
            after = self.number(Busy(start, past, run.pending, untouched))
            run.end()
            return after
        if run.outcome == "failed":
            raise Failed
        return self.number(run.rest())
