"""A state of everything: what there is, how far the cache is behind of it, and where the operator is."""

from typing import TYPE_CHECKING, NamedTuple

from tests.modelcheck.kernel import Rest
from tests.modelcheck.minimal_controller import KEY_SECRET, LABEL, REFS
from tests.modelcheck.objects import ENTRIES, FIRST_VERSION, NOTHING, Entry

if TYPE_CHECKING:
    from tests.modelcheck.model import Model


class Thing(NamedTuple):
    """One object: its past as far as the cache is behind, then how it is."""

    born: int = 0
    chain: tuple[int, ...] = (NOTHING,)
    """Versions: the last that the watch has told, those it has not told yet."""


class Environment(NamedTuple):
    """What is neither the operator's nor the API server's."""

    mark: int = 0
    """Which claim's volume has the mark of the Job."""
    effects: int = 0
    """How often the Job's program has worked on that volume."""
    dropped: bool = False
    """The last Toy that went was to take its data along."""
    edits: int = 0
    """How many are still to come, as of everything below."""
    deletions: int = 0
    comebacks: int = 0
    meddling: int = 0
    losses: int = 0
    """Requests, and answers to them, that never arrive."""


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
    old_lists: bool = False
    """A new process may be shown what there was, and be told the rest later."""


State = tuple[int, ...]
"""Numbers of the Things, of the environment, and of the operator's state: equal states are equal numbers."""
ENVIRONMENT, OPERATOR = len(REFS), len(REFS) + 1


class MutableState:
    """A state that is being changed."""

    def __init__(self, model: "Model", state: State) -> None:
        self.model = model
        self.things: list[Thing] = [model.things[number] for number in state[:ENVIRONMENT]]
        self.environment: Environment = model.environments[state[ENVIRONMENT]]
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
        self.operator = self.model.transitions.tell(self.operator, event)

    def keep_up(self) -> None:
        """The cache is never further behind than the limits say."""
        limits = self.model.limits
        for index in range(len(self.things)):
            while len(self.things[index].chain) > limits.behind + 1:
                self.tell(index)
        behind = self.behind()
        while len(behind) > limits.lagging:
            self.tell(behind[0])
            behind = self.behind()

    def state(self) -> State:
        """The state as it is now; what makes no difference is left out of it."""
        operator = self.model.transitions[self.operator]
        if isinstance(operator, Rest):
            self._tidy(operator)
        model = self.model
        return (*map(model.things.number, self.things), model.environments.number(self.environment), self.operator)

    def _tidy(self, rest: Rest) -> None:
        """Numbers versions anew, and forgets graves of which nothing can come any more."""
        known = list(rest.known)
        for index, thing in enumerate(self.things):
            if index in (KEY_SECRET, LABEL):
                # Of these the version is all that is seen, so it may not change.
                continue
            chain, number = self.model.renumbered(thing.chain, known[index][0])
            if chain != thing.chain:
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
            self.operator = self.model.transitions.number(tidy)
