"""All that may happen in a state: every step of the operator, and of everybody else."""

from collections.abc import Iterator
from functools import partial

from tests.modelcheck import others, properties
from tests.modelcheck.kernel import AS_READ, Rest
from tests.modelcheck.memory import Busy, Failed, Memory
from tests.modelcheck.moment import OPERATOR, Around, Limits, Moment, State, Thing
from tests.modelcheck.objects import ENTRIES, FIRST_VERSION, NOTHING, Entry, Numbered
from tests.modelcheck.others import SPECS, Change
from tests.modelcheck.properties import Violation
from tests.modelcheck.server import Answer, Asked, serve
from tests.modelcheck.toy import NAMES, OWNER, REFS

LOST = Answer(0)


class Model:
    """All that may happen, from one beginning."""

    def __init__(self, around: Around, limits: Limits, strangers: str = "", *, settled: bool = False) -> None:
        """`strangers`: what people do to children: `edit`, `delete`, `replace`. `settled`: begin when all is done."""
        self.limits = limits
        self.strangers = strangers
        self.memory = Memory()
        self.things = Numbered()
        self.arounds = Numbered()
        self._renumbered: dict[tuple[tuple[int, ...], int], tuple[tuple[int, ...], int]] = {}
        self.first = self._first(around)
        while settled and (after := self.fair(self.first)) is not None:
            self.first = after[1]

    def _first(self, around: Around) -> State:
        owner = Entry(OWNER, 1, FIRST_VERSION, 1, SPECS[0])
        things = [Thing(1, (ENTRIES.number(owner),)), *(Thing() for _ in REFS[1:])]
        operator = self.memory.number(_started(things))
        return (*map(self.things.number, things), self.arounds.number(around), operator)

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
        now = Moment(self, state)
        for what, change in (*others.cluster_acts(now), *others.people_act(now)):
            yield what, self._after(state, what, change)

    def _after(self, state: State, what: str, change: Change) -> State:
        moment = Moment(self, state)
        try:
            change(moment)
            moment.keep_up()
            return moment.state()
        except Violation as wrong:
            wrong.done = what
            raise
        except Failed as failed:
            raise Violation("the reconcile raises an exception", what) from failed

    def _operator_acts(self, state: State) -> Iterator[tuple[str, State]]:
        now = Moment(self, state)
        operator = self.memory[now.operator]
        for index in now.behind():
            what = f"the watch tells of {NAMES[index]}"
            yield what, self._after(state, what, partial(Moment.tell, index=index))
        if isinstance(operator, Busy):
            for place, asked in enumerate(operator.pending):
                yield self.answered(state, place)
                if asked.writes and now.around.losses:
                    yield self._lost(state, place, asked, served=True)
                    yield self._lost(state, place, asked, served=False)
                if asked.writes and self.limits.overtaken:
                    yield self._overtaken(state, place, asked)
        elif operator.wanted:
            yield self.begun(state)
        if self.limits.crashes:
            yield "the operator dies and starts again", self.restarted(state)
        if self.limits.old_lists:
            yield "the operator dies and starts again, and is shown an old list", self._restarted_from_old(state)

    def begun(self, state: State) -> tuple[str, State]:
        """A look begins."""

        def change(moment: Moment) -> None:
            moment.operator = self.memory.begin(moment.operator)

        return "a look begins", self._after(state, "a look begins", change)

    def answered(self, state: State, place: int = 0) -> tuple[str, State]:
        """A request reaches the server, and its answer the operator."""
        said: list[str] = []

        def change(moment: Moment) -> None:
            asked, answer = self._served(moment, place)
            said.append(f"{asked}: {answer}")
            moment.operator = self.memory.answer(moment.operator, place, answer)

        after = self._after(state, self._asked(state, place), change)
        return said[0], after

    def _asked(self, state: State, place: int) -> str:
        operator = self.memory[state[OPERATOR]]
        return str(operator.pending[place]) if isinstance(operator, Busy) else ""

    def _served(self, moment: Moment, place: int) -> tuple[Asked, Answer]:
        operator = self.memory[moment.operator]
        assert isinstance(operator, Busy)
        asked = operator.pending[place]
        before = moment.live(asked.part)
        answer = serve(moment, asked)
        properties.check(moment, asked, before, answer)
        return asked, answer

    def _lost(self, state: State, place: int, asked: Asked, *, served: bool) -> tuple[str, State]:
        what = f"{asked}: {'done, but the answer' if served else 'it'} is lost"

        def change(moment: Moment) -> None:
            moment.around = moment.around._replace(losses=moment.around.losses - 1)
            if served:
                self._served(moment, place)
            moment.operator = self.memory.answer(moment.operator, place, LOST)

        return what, self._after(state, what, change)

    def _overtaken(self, state: State, place: int, asked: Asked) -> tuple[str, State]:
        what = f"{asked}: done, and the watch is faster than the answer"

        def change(moment: Moment) -> None:
            _, answer = self._served(moment, place)
            while len(moment.things[asked.part].chain) > 1:
                moment.tell(asked.part)
            moment.operator = self.memory.answer(moment.operator, place, answer)

        return what, self._after(state, what, change)

    def restarted(self, state: State) -> State:
        """The operator's memory is lost; another process reads what there is."""
        moment = Moment(self, state)
        for index, thing in enumerate(moment.things):
            now = moment.live(index)
            moment.things[index] = thing._replace(chain=(thing.chain[-1] if now is not None else NOTHING,))
        moment.operator = self.memory.number(_started(moment.things))
        return moment.state()

    def _restarted_from_old(self, state: State) -> State:
        """The same, but it is shown what there was: everything that the watches have not told before."""
        moment = Moment(self, state)
        moment.operator = self.memory.number(_started(moment.things))
        return moment.state()

    # --- a fair run

    def fair(self, state: State) -> tuple[str, State] | None:
        """What happens next when nothing goes wrong any more and everybody does their part; None at the end."""
        now = Moment(self, state)
        if behind := now.behind():
            what = f"the watch tells of {NAMES[behind[0]]}"
            return what, self._after(state, what, partial(Moment.tell, index=behind[0]))
        operator = self.memory[now.operator]
        if isinstance(operator, Busy):
            return self.answered(state)
        if operator.wanted:
            return self.begun(state)
        for what, change in others.cluster_acts(now):
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
