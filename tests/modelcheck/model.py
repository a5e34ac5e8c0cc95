"""A state of everything, and all that may happen in it next."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from tests.modelcheck import properties
from tests.modelcheck.kernel import AS_READ, Rest
from tests.modelcheck.memory import Busy, Failed, Memory
from tests.modelcheck.objects import ENTRIES, FIRST_VERSION, NOTHING, Entry, Numbered, body, text
from tests.modelcheck.properties import Violation
from tests.modelcheck.server import Answer, Asked, next_version, owner_uid, removed, serve
from tests.modelcheck.toy import CLAIM, FIRST, KEY_SECRET, LABEL, NAMES, OWNER, REFS, SECOND, SEW, SHELF

SPECS = (text(FIRST), text(SECOND))
COMPLETE = text({"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1})
FAILED_ONCE = text({"failed": 1, "active": 1})
BOUND = text({"phase": "Bound"})
PENDING = text({"phase": "Pending"})
STRANGE = text({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"note": "not yours"}})
LOST = Answer(0)


class Thing(NamedTuple):
    """One object: its past as far as the cache is behind, then how it is."""

    born: int = 0
    chain: tuple[int, ...] = (NOTHING,)
    """Versions: the last that the watch has told, those it has not told yet."""


class Around(NamedTuple):
    """What is neither the operator's nor the API server's."""

    mark: int = 0
    """Which claim's volume has the mark of the Job."""
    effects: int = 0
    """How often the Job's program has worked on that volume."""
    edits: int = 0
    deletions: int = 0
    comebacks: int = 0
    meddling: int = 0
    losses: int = 0
    """Requests, and answers to them, that never arrive."""
    """How much of each may still come."""
    dropped: bool = False
    """The last Toy that went was to take its data along."""


class Limits(NamedTuple):
    """How far the search goes."""

    behind: int = 1
    """Events of one object that the cache may be behind."""
    lagging: int = 2
    """Objects that it may be behind of at the same time."""
    crashes: bool = True
    job_fails: bool = False
    overtaken: bool = False
    """The watch may tell of a write before its answer comes."""


State = tuple[int, ...]
"""Numbers of the Things, of what is around, and of the operator's state: equal states are equal numbers."""
AROUND, OPERATOR = len(REFS), len(REFS) + 1


class Moment:
    """A state that is being changed."""

    def __init__(self, model: "Model", state: State) -> None:
        self.model = model
        self.things: list[Thing] = [model.things[number] for number in state[:AROUND]]
        self.around: Around = model.arounds[state[AROUND]]
        self.operator = state[OPERATOR]

    # --- as the server's Objects

    def live(self, index: int) -> Entry | None:
        last = self.things[index].chain[-1]
        if last == NOTHING:
            return None
        entry: Entry = ENTRIES[last]
        return None if entry.gone else entry

    def born(self, index: int) -> int:
        return self.things[index].born

    def put(self, entry: Entry) -> int:
        index = entry.part
        thing = self.things[index]
        last = thing.chain[-1]
        if entry.version == FIRST_VERSION and last != NOTHING:
            # Versions of one name go on, so that a later object is newer than an earlier one.
            entry = entry._replace(version=ENTRIES[last].version + 1)
        number = ENTRIES.number(entry)
        self.things[index] = Thing(max(thing.born, entry.born), (*thing.chain, number))
        return number

    # --- watches

    def behind(self) -> list[int]:
        """Objects of which the watch has something to tell."""
        return [index for index, thing in enumerate(self.things) if len(thing.chain) > 1]

    def tell(self, index: int) -> None:
        """The watch tells the next version of an object."""
        thing = self.things[index]
        event, rest = thing.chain[1], thing.chain[1:]
        if len(rest) == 1 and ENTRIES[event].gone:
            rest = (NOTHING,)
        self.things[index] = thing._replace(chain=rest)
        self.operator = self.model.memory.tell(self.operator, event)

    def keep_up(self) -> None:
        """The cache is never further behind than the limits say."""
        limits = self.model.limits
        for index, thing in enumerate(self.things):
            if len(thing.chain) > limits.behind + 1:
                self.tell(index)
        behind = self.behind()
        while len(behind) > limits.lagging:
            self.tell(behind[0])
            behind = self.behind()

    def state(self) -> State:
        """The state as it is now; what makes no difference is left out of it."""
        operator = self.model.memory[self.operator]
        if isinstance(operator, Rest):
            self._tidy(operator)
        model = self.model
        return (*map(model.things.number, self.things), model.arounds.number(self.around), self.operator)

    def _tidy(self, rest: Rest) -> None:
        """Numbers versions anew, and forgets graves of which nothing can come any more."""
        known = list(rest.known)
        for index, thing in enumerate(self.things):
            if index in (KEY_SECRET, LABEL):
                # Of these the version is all that is seen, so it may not change.
                continue
            chain, number = self.model.renumbered(thing.chain, known[index][0])
            if chain is not thing.chain:
                self.things[index] = thing._replace(chain=chain)
                known[index] = (number, *known[index][1:])
        graves = rest.graves
        if graves:
            to_come = {
                (index, ENTRIES[number].uid) for index, thing in enumerate(self.things) for number in thing.chain[1:]
            }
            graves = graves & to_come
        tidy = rest._replace(known=tuple(known), graves=graves)
        if tidy != rest:
            self.operator = self.model.memory.number(tidy)


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
            found = self._renumbered[chain, known] = (chain if result == chain else result, anew[known])
        return found

    # --- what may happen

    def next(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that may happen next, each with its words. Raises Violation, with the words in it."""
        yield from self._operator_acts(state)
        for what, change in self._others_act(Moment(self, state)):
            yield what, self._after(state, what, change)

    def _after(self, state: State, what: str, change: Callable[[Moment], None]) -> State:
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
            yield what, self._after(state, what, lambda moment, index=index: moment.tell(index))  # type: ignore[misc]
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
            last = thing.chain[-1] if now is not None else NOTHING
            moment.things[index] = thing._replace(chain=(last,))
        moment.operator = self.memory.number(_started(moment.things))
        return moment.state()

    def _others_act(self, now: Moment) -> Iterator[tuple[str, Callable[[Moment], None]]]:
        yield from self.cluster_acts(now)
        yield from self._people_act(now)

    def cluster_acts(self, now: Moment) -> Iterator[tuple[str, Callable[[Moment], None]]]:
        """What the cluster's controllers, its nodes and the programs in them do in the end, whatever else happens."""
        owner, claim, job, shelf = (now.live(index) for index in (OWNER, CLAIM, SEW, SHELF))
        for index in range(1, len(REFS)):
            child = now.live(index)
            of = owner_uid(child) if child and not child.strange else ""
            if child and of and (owner is None or owner.uid != of):
                yield f"garbage collection takes {NAMES[index]}", lambda m, e=child: _put(m, removed(e))  # type: ignore[misc]
        if claim and claim.deleting and not job and not shelf:
            yield "the claim goes, nothing uses it any more", _let_go
        if claim and claim.status != BOUND and not claim.deleting:
            yield "the claim is bound", lambda m: _put(m, next_version(claim, status=BOUND))
        if job and claim and claim.status == BOUND and job.status != COMPLETE:
            if now.around.mark != claim.born:
                yield "the Job's program works, and leaves its mark on the volume", _work
            else:
                yield "the Job finishes", lambda m: _put(m, next_version(job, status=COMPLETE))
        if shelf and claim and claim.status == BOUND and shelf.status != _ready(shelf):
            yield "the Deployment's pods are ready", lambda m: _put(m, next_version(shelf, status=_ready(shelf)))

    def _people_act(self, now: Moment) -> Iterator[tuple[str, Callable[[Moment], None]]]:
        owner, around = now.live(OWNER), now.around
        if self.limits.job_fails and (job := now.live(SEW)) and not job.status:
            yield "the Job fails once", lambda m: _put(m, next_version(job, status=FAILED_ONCE))
        if owner and around.edits and owner.what == SPECS[0]:
            yield "somebody changes the Toy's spec", lambda m: _edit(m, owner)
        if owner and around.deletions and not owner.deleting:
            yield "somebody deletes the Toy", lambda m: _remove(m, owner)
        if owner is None and around.comebacks:
            yield "somebody creates the Toy again", _come_back
        if around.meddling:
            yield from self._meddling(now)

    def _meddling(self, now: Moment) -> Iterator[tuple[str, Callable[[Moment], None]]]:
        for index in range(1, len(REFS)):
            child = now.live(index)
            if index == LABEL and "replace" in self.strangers and not (child and child.strange):
                yield "another puts a ConfigMap of that name there", _replace
            if child is None:
                continue
            if child.strange:
                yield f"another takes {NAMES[index]} away", lambda m, e=child: _meddle(m, removed(e))  # type: ignore[misc]
                continue
            if "delete" in self.strangers and index not in (CLAIM, KEY_SECRET):
                yield f"another deletes {NAMES[index]}", lambda m, e=child: _meddle(m, removed(e))  # type: ignore[misc]
            if "edit" in self.strangers and index in (SHELF, LABEL) and not child.meddled:
                edited = next_version(child, meddled=True, generation=child.generation + 1)
                yield f"another edits {NAMES[index]}", lambda m, e=edited: _meddle(m, e)  # type: ignore[misc]

    # --- a fair run

    def fair(self, state: State) -> tuple[str, State] | None:
        """What happens next when nothing goes wrong any more and everybody does their part; None at the end."""
        now = Moment(self, state)
        if behind := now.behind():
            what = f"the watch tells of {NAMES[behind[0]]}"
            return what, self._after(state, what, lambda moment: moment.tell(behind[0]))
        operator = self.memory[now.operator]
        if isinstance(operator, Busy):
            return self.answered(state)
        if operator.wanted:
            return self.begun(state)
        for what, change in self.cluster_acts(now):
            return what, self._after(state, what, change)
        return None


def _started(things: list[Thing]) -> Rest:
    """What a process knows that has just read everything."""
    known = []
    for thing in things:
        entry = ENTRIES[thing.chain[-1]]
        shown = entry is not None and not entry.strange
        known.append((thing.chain[-1] if shown else NOTHING, AS_READ, 0))
    return Rest(tuple(known), wanted=things[OWNER].chain[-1] != NOTHING)


def _put(moment: Moment, entry: Entry) -> None:
    moment.put(entry)


def _meddle(moment: Moment, entry: Entry) -> None:
    moment.around = moment.around._replace(meddling=moment.around.meddling - 1)
    moment.put(entry)


def _replace(moment: Moment) -> None:
    live = moment.live(LABEL)
    if live is not None:
        moment.put(removed(live))
    _meddle(moment, Entry(LABEL, moment.born(LABEL) + 1, FIRST_VERSION, 1, STRANGE, strange=True))


def _work(moment: Moment) -> None:
    claim = moment.live(CLAIM)
    assert claim is not None
    if moment.around.effects:
        raise Violation("the Job works twice, and the first time is not undone")
    moment.around = moment.around._replace(mark=claim.born, effects=1)


def _let_go(moment: Moment) -> None:
    claim = moment.live(CLAIM)
    assert claim is not None
    moment.around = moment.around._replace(mark=0, effects=0)
    moment.put(next_version(claim, gone=True))


def _edit(moment: Moment, owner: Entry) -> None:
    moment.around = moment.around._replace(edits=moment.around.edits - 1)
    moment.put(next_version(owner, what=SPECS[1], generation=owner.generation + 1))


def _remove(moment: Moment, owner: Entry) -> None:
    moment.around = moment.around._replace(deletions=moment.around.deletions - 1)
    moment.put(removed(owner))


def _come_back(moment: Moment) -> None:
    moment.around = moment.around._replace(comebacks=moment.around.comebacks - 1, dropped=False)
    moment.put(Entry(OWNER, moment.born(OWNER) + 1, FIRST_VERSION, 1, SPECS[0]))


def _ready(shelf: Entry) -> int:
    """The status of a Deployment whose pods are all ready."""
    count = orjson.loads(body(ENTRIES.number(shelf)))["spec"]["replicas"]
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return text({"observedGeneration": shelf.generation, **dict.fromkeys(names, count)})
