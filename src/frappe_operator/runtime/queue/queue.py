"""Which key is looked at next.

One entry a key and one worker a key: a key that is added while it is being worked on comes again after. What people
changed goes before what merely is looked at again, and namespaces take turns, so that one tenant with thousands of
objects, or failures, does not stand in the way of the others.
"""

import asyncio
import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from itertools import count

from frappe_operator.kube.kinds import Key

SHORTEST_RETRY_SECONDS = 1.0
"""A failing key is not looked at more often, whatever happens around it."""
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
REST_SECONDS = 0.5
"""Between two looks at a key that nobody waits for: what one pass does, and what the cluster makes of it, comes back as
a burst of events, and one look at all of them is enough."""
UNFAIR_EVERY = 8
"""Every so many turns the least urgent key that waits is taken, so that none waits for ever."""


class Priority(IntEnum):
    """How urgent a key is; the lowest number goes first."""

    EDIT = 0
    """Its object was changed by someone."""
    EVENT = 1
    """Something it depends on has changed."""
    RESYNC = 2
    """It is time to look again, or to try again."""


class Queue:
    """Keys to be looked at, as a set of workers takes them."""

    def __init__(
        self,
        *,
        workers: int = 32,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`workers`: how many take keys; one namespace gets three quarters of them at most. `jitter`: a random number
        from 0 to 1."""
        self._share = max(1, workers - workers // 4)
        self._jitter = jitter
        self._ready: dict[Priority, OrderedDict[str, deque[Key]]] = {each: OrderedDict() for each in Priority}
        self._waiting: dict[Key, Priority] = {}
        """Keys in `_ready`. One whose priority there is another has moved: its old place is skipped."""
        self._running: dict[Key, Priority | None] = {}
        """Keys being worked on, and whether they were added again meanwhile."""
        self._edits: set[Key] = set()
        """Those of them that were taken because someone changed their object."""
        self._busy: dict[str, int] = {}
        """Workers by namespace."""
        self._resting: OrderedDict[Key, float] = OrderedDict()
        """Until when each key that was just looked at is left alone; the first is the next to be free."""
        self._later: dict[Key, tuple[float, Priority]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._order = count()
        self._failures: dict[Key, int] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._turn = 0
        self._closed = False

    def __len__(self) -> int:
        """Keys that are ready to be taken."""
        return len(self._waiting)

    @property
    def delayed(self) -> int:
        """Keys that wait for their time."""
        return len(self._later)

    @property
    def running(self) -> int:
        """Keys being worked on."""
        return len(self._running)

    def add(self, key: Key, priority: Priority = Priority.EVENT) -> None:
        """Has a key looked at as soon as may be. One that was just looked at, or has failed, is given a moment, unless
        it was edited."""
        if priority is Priority.EDIT or key in self._running:
            self._enter(key, priority)
        elif key in self._failures:
            self.add_after(key, SHORTEST_RETRY_SECONDS, priority)
        elif (rest := self._resting.get(key, 0.0) - asyncio.get_running_loop().time()) > 0:
            self.add_after(key, rest, priority)
        else:
            self._enter(key, priority)

    def _enter(self, key: Key, priority: Priority) -> None:
        self._later.pop(key, None)
        if key in self._running:
            again = self._running[key]
            self._running[key] = priority if again is None else min(again, priority)
            return
        known = self._waiting.get(key)
        if known is not None and known <= priority:
            return
        self._waiting[key] = priority
        self._ready[priority].setdefault(key.namespace, deque()).append(key)
        self._wake()

    def add_after(self, key: Key, seconds: float, priority: Priority = Priority.RESYNC) -> None:
        """Has a key looked at in a while, or sooner if something asks for it sooner."""
        if key in self._waiting:
            return
        due = asyncio.get_running_loop().time() + seconds
        if key in self._later:
            sooner, urgent = self._later[key]
            priority = min(priority, urgent)
            if sooner <= due:
                self._later[key] = sooner, priority
                return
        self._later[key] = due, priority
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._arm()

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Has a key looked at again after a failure, later each time; the seconds until then."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 16), LONGEST_RETRY_SECONDS)
        pause = max(pause * (1 + self._jitter() / 2), at_least)
        self.add_after(key, pause)
        return pause

    def failures(self, key: Key) -> int:
        """How often in a row it has failed."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """It went well: the next failure is a first one."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Gives out no more keys."""
        self._closed = True

    def is_edit(self, key: Key) -> bool:
        """Of a key that is being worked on: whether someone waits for what they have changed."""
        return key in self._edits

    async def take(self) -> Key:
        """The next key. Give it back with `done`."""
        while True:
            key = self._next()
            if key is not None:
                return key
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    # Woken and sent away at once: the key is another's then.
                    self._wake()
                raise

    def done(self, key: Key) -> None:
        """Nobody works on the key any more."""
        again = self._running.pop(key)
        self._rest(key)
        self._edits.discard(key)
        busy = self._busy[key.namespace] - 1
        if busy:
            self._busy[key.namespace] = busy
        else:
            del self._busy[key.namespace]
        if again is not None:
            self.add(key, again)
        self._wake()

    def _rest(self, key: Key) -> None:
        now = asyncio.get_running_loop().time()
        self._resting[key] = now + REST_SECONDS
        self._resting.move_to_end(key)
        while next(iter(self._resting.values())) <= now:
            self._resting.popitem(last=False)

    def _next(self) -> Key | None:
        if self._closed:
            return None
        self._turn += 1
        order = reversed(Priority) if self._turn % UNFAIR_EVERY == 0 else iter(Priority)
        for priority in order:
            key = self._next_of(priority)
            if key is not None:
                del self._waiting[key]
                self._running[key] = None
                if priority is Priority.EDIT:
                    self._edits.add(key)
                self._busy[key.namespace] = self._busy.get(key.namespace, 0) + 1
                return key
        return None

    def _next_of(self, priority: Priority) -> Key | None:
        namespaces = self._ready[priority]
        while (namespace := self._turn_of(namespaces)) is not None:
            keys = namespaces[namespace]
            key = keys.popleft()
            if keys:
                namespaces.move_to_end(namespace)
            else:
                del namespaces[namespace]
            if self._waiting.get(key) is priority:
                return key
        return None

    def _turn_of(self, namespaces: Iterable[str]) -> str | None:
        """The first namespace that does not have its share of the workers yet."""
        return next((each for each in namespaces if self._busy.get(each, 0) < self._share), None)

    def _wake(self) -> None:
        if not self._waiting:
            return
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _arm(self) -> None:
        """Sets the one timer to the next key whose time comes."""
        while self._heap and not self._is_due(self._heap[0][2], self._heap[0][0]):
            heapq.heappop(self._heap)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._due)

    def _due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._is_due(key, due):
                self._enter(key, self._later[key][1])
        self._arm()

    def _is_due(self, key: Key, due: float) -> bool:
        """Whether it still is to be looked at then."""
        return key in self._later and self._later[key][0] == due
