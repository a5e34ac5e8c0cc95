"""All that may happen in a state: every step of the operator, and of everybody else."""

from collections.abc import Iterator
from functools import partial

from tests.modelcheck import environment, properties
from tests.modelcheck.environment import SPECS, Change
from tests.modelcheck.kernel import AS_READ, Rest
from tests.modelcheck.minimal_controller import NAMES, OWNER, REFS
from tests.modelcheck.objects import ENTRIES, FIRST_VERSION, NOTHING, Entry, Numbered
from tests.modelcheck.properties import Violation
from tests.modelcheck.server import Answer, ApiRequest, serve
from tests.modelcheck.state import OPERATOR, Environment, Limits, MutableState, State, Thing
from tests.modelcheck.transitions import Busy, Failed, Transitions

LOST = Answer(0)


class Model:
    """All that may happen, from one beginning."""

    def __init__(self, environment: Environment, limits: Limits, strangers: str = "", *, settled: bool = False) -> None:
        """`strangers`: what people do to children: `edit`, `delete`, `replace`. `settled`: begin when all is done."""
        self.limits = limits
        self.strangers = strangers
        self.transitions = Transitions()
        self.things = Numbered()
        self.environments = Numbered()
        self._renumbered: dict[tuple[tuple[int, ...], int], tuple[tuple[int, ...], int]] = {}
        self.first = self._first(environment)
        while settled and (after := self.fair(self.first)) is not None:
            self.first = after[1]

    def _first(self, environment: Environment) -> State:
        owner = Entry(OWNER, 1, FIRST_VERSION, 1, SPECS[0])
        things = [Thing(1, (ENTRIES.number(owner),)), *(Thing() for _ in REFS[1:])]
        operator = self.transitions.number(_started(things))
        return (*map(self.things.number, things), self.environments.number(environment), operator)

    def renumbered(self, chain: tuple[int, ...], known: int) -> tuple[tuple[int, ...], int]:
        """The same versions, counted from the first one on."""
        found = self._renumbered.get((chain, known))
        if found is None:
            present = [number for number in {*chain, known} if number != NOTHING]
            ranks = {
                version: FIRST_VERSION + place
                for place, version in enumerate(sorted({ENTRIES[n].version for n in present}))
            }
            anew = {
                number: ENTRIES.number(ENTRIES[number]._replace(version=ranks[ENTRIES[number].version]))
                for number in present
            }
            anew[NOTHING] = NOTHING
            result = tuple(anew[number] for number in chain)
            found = self._renumbered[chain, known] = (result, anew[known])
        return found

    # --- what may happen

    def next(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that may happen next, each with its words. Raises Violation, with the words in it."""
        yield from self._operator_acts(state)
        now = MutableState(self, state)
        for what, change in (*environment.cluster_acts(now), *environment.people_act(now)):
            yield what, self._after(state, what, change)

    def _after(self, state: State, what: str, change: Change) -> State:
        new = MutableState(self, state)
        try:
            change(new)
            new.keep_up()
            return new.state()
        except Violation as wrong:
            wrong.done = what
            raise
        except Failed as failed:
            raise Violation("the reconcile raises an exception", what) from failed

    def _operator_acts(self, state: State) -> Iterator[tuple[str, State]]:
        now = MutableState(self, state)
        operator = self.transitions[now.operator]
        for index in now.behind():
            what = f"the watch tells of {NAMES[index]}"
            yield what, self._after(state, what, partial(MutableState.tell, index=index))
        if isinstance(operator, Busy):
            for place, request in enumerate(operator.pending):
                yield self.answered(state, place)
                if request.writes and now.environment.losses:
                    yield self._lost(state, place, request, served=True)
                    yield self._lost(state, place, request, served=False)
                if request.writes and self.limits.overtaken:
                    yield self._overtaken(state, place, request)
        elif operator.wanted:
            yield self.begun(state)
        if self.limits.crashes:
            yield "the operator dies and starts again", self.restarted(state)
        if self.limits.old_lists:
            yield "the operator dies and starts again, and is shown an old list", self._restarted_from_old(state)

    def begun(self, state: State) -> tuple[str, State]:
        """A look begins."""

        def change(new: MutableState) -> None:
            new.operator = self.transitions.begin(new.operator)

        return "a look begins", self._after(state, "a look begins", change)

    def answered(self, state: State, place: int = 0) -> tuple[str, State]:
        """A request reaches the server, and its answer the operator."""
        said: list[str] = []

        def change(new: MutableState) -> None:
            request, answer = self._served(new, place)
            said.append(f"{request}: {answer}")
            new.operator = self.transitions.answer(new.operator, place, answer)

        after = self._after(state, self._asked(state, place), change)
        return said[0], after

    def _asked(self, state: State, place: int) -> str:
        operator = self.transitions[state[OPERATOR]]
        return str(operator.pending[place]) if isinstance(operator, Busy) else ""

    def _served(self, new: MutableState, place: int) -> tuple[ApiRequest, Answer]:
        operator = self.transitions[new.operator]
        assert isinstance(operator, Busy)
        request = operator.pending[place]
        before = new.live(request.part)
        answer = serve(new, request)
        properties.check(new, request, before, answer)
        return request, answer

    def _lost(self, state: State, place: int, request: ApiRequest, *, served: bool) -> tuple[str, State]:
        what = f"{request}: {'done, but the answer' if served else 'it'} is lost"

        def change(new: MutableState) -> None:
            new.environment = new.environment._replace(losses=new.environment.losses - 1)
            if served:
                self._served(new, place)
            new.operator = self.transitions.answer(new.operator, place, LOST)

        return what, self._after(state, what, change)

    def _overtaken(self, state: State, place: int, request: ApiRequest) -> tuple[str, State]:
        what = f"{request}: done, and the watch is faster than the answer"

        def change(new: MutableState) -> None:
            _, answer = self._served(new, place)
            while len(new.things[request.part].chain) > 1:
                new.tell(request.part)
            new.operator = self.transitions.answer(new.operator, place, answer)

        return what, self._after(state, what, change)

    def restarted(self, state: State) -> State:
        """The operator's memory is lost; another process reads what there is."""
        new = MutableState(self, state)
        for index, thing in enumerate(new.things):
            now = new.live(index)
            new.things[index] = thing._replace(chain=(thing.chain[-1] if now is not None else NOTHING,))
        new.operator = self.transitions.number(_started(new.things))
        return new.state()

    def _restarted_from_old(self, state: State) -> State:
        """The same, but it is shown what there was: everything that the watches have not told before."""
        new = MutableState(self, state)
        new.operator = self.transitions.number(_started(new.things))
        return new.state()

    # --- a fair run

    def fair(self, state: State) -> tuple[str, State] | None:
        """What happens next when nothing goes wrong any more and everybody does their part; None at the end."""
        now = MutableState(self, state)
        if behind := now.behind():
            what = f"the watch tells of {NAMES[behind[0]]}"
            return what, self._after(state, what, partial(MutableState.tell, index=behind[0]))
        operator = self.transitions[now.operator]
        if isinstance(operator, Busy):
            return self.answered(state)
        if operator.wanted:
            return self.begun(state)
        for what, change in environment.cluster_acts(now):
            return what, self._after(state, what, change)
        return None


def _started(things: list[Thing]) -> Rest:
    """What a process knows that has just read everything."""
    known = []
    for thing in things:
        entry = ENTRIES[thing.chain[0]]
        shown = entry is not None and not entry.strange
        known.append((thing.chain[0] if shown else NOTHING, AS_READ, 0))
    return Rest(tuple(known), wanted=things[OWNER].chain[0] != NOTHING)
