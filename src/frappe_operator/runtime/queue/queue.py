"""The work queue: which key is reconciled next.

A key is in the queue once, and one worker at a time has it: a key that is added while it is being reconciled is queued
again afterwards. Edits go before events, and events before resyncs. Namespaces are served in turn, so that one tenant
with thousands of objects, or of failures, does not hold up the others.
"""

import asyncio
import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from itertools import count

from frappe_operator.kube.objects import Key

SHORTEST_RETRY_SECONDS = 1.0
"""A failing key is not reconciled more often than that, whatever events it gets."""
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
MIN_INTERVAL_SECONDS = 0.5
"""The shortest time between two reconciles of a key that nobody has edited: what a reconcile writes, and what the
cluster's controllers make of it, comes back as a burst of events, and one reconcile for all of them is enough."""
UNFAIR_EVERY = 8
"""Every so many keys the least urgent one is taken, so that none waits for ever."""


class Priority(IntEnum):
    """How urgent a key is; the lowest number goes first."""

    EDIT = 0
    """Somebody has created, changed or deleted its object."""
    EVENT = 1
    """Something that it depends on has changed."""
    RESYNC = 2
    """It is due again after some time, or is retried."""


class Queue:
    """The keys to reconcile, for a set of workers."""

    def __init__(
        self,
        *,
        workers: int = 32,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`workers`: how many workers take keys; one namespace gets three quarters of them at most. `jitter`: gives a
        random number from 0 to 1."""
        self._share = max(1, workers - workers // 4)
        self._jitter = jitter
        self._ready: dict[Priority, OrderedDict[str, deque[Key]]] = {each: OrderedDict() for each in Priority}
        self._waiting: dict[Key, Priority] = {}
        """The keys in `_ready` with their priorities. An entry of `_ready` with another priority is outdated and
        skipped."""
        self._running: dict[Key, Priority | None] = {}
        """The keys being reconciled, with the priority with which they were added again meanwhile."""
        self._edits: set[Key] = set()
        """The keys being reconciled because somebody has changed their object."""
        self._busy: dict[str, int] = {}
        """How many workers each namespace has now."""
        self._recent: OrderedDict[Key, float] = OrderedDict()
        """When each key that has just been reconciled may be reconciled again, the earliest first."""
        self._later: dict[Key, tuple[float, Priority]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._order = count()
        self._failures: dict[Key, int] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._taken = 0
        self._closed = False

    def __len__(self) -> int:
        """How many keys are ready to be taken."""
        return len(self._waiting)

    @property
    def delayed(self) -> int:
        """How many keys wait until they are due."""
        return len(self._later)

    @property
    def running(self) -> int:
        """How many keys are being reconciled."""
        return len(self._running)

    def add(self, key: Key, priority: Priority = Priority.EVENT) -> None:
        """Queues a key. A key that has just been reconciled, or has failed, is delayed for a moment, unless its object
        was edited."""
        if priority is Priority.EDIT or key in self._running:
            self._enter(key, priority)
        elif key in self._failures:
            self.add_after(key, SHORTEST_RETRY_SECONDS, priority)
        elif (pause := self._recent.get(key, 0.0) - asyncio.get_running_loop().time()) > 0:
            self.add_after(key, pause, priority)
        else:
            self._enter(key, priority)

    def _enter(self, key: Key, priority: Priority) -> None:
        self._later.pop(key, None)
        if key in self._running:
            again = self._running[key]
            self._running[key] = priority if again is None else min(again, priority)
            return
        current = self._waiting.get(key)
        if current is not None and current <= priority:
            return
        self._waiting[key] = priority
        self._ready[priority].setdefault(key.namespace, deque()).append(key)
        self._wake()

    def add_after(self, key: Key, seconds: float, priority: Priority = Priority.RESYNC) -> None:
        """Queues a key after some seconds. A key that is queued or due earlier stays so."""
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
        """Queues a key again after a failure, with exponential backoff. Returns the seconds until then."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 16), LONGEST_RETRY_SECONDS)
        pause = max(pause * (1 + self._jitter() / 2), at_least)
        self.add_after(key, pause)
        return pause

    def failures(self, key: Key) -> int:
        """How often in a row a key has failed."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Ends the backoff of a key: it has been reconciled."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Gives no more keys to workers."""
        self._closed = True

    def is_edit(self, key: Key) -> bool:
        """Whether a key that is being reconciled was taken because somebody has changed its object."""
        return key in self._edits

    async def take(self) -> Key:
        """Waits for the next key. The worker must give it back with `done`."""
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
                    # Woken and cancelled at the same time: another worker has to take the key.
                    self._wake()
                raise

    def done(self, key: Key) -> None:
        """The worker has finished with a key."""
        again = self._running.pop(key)
        self._note_end(key)
        self._edits.discard(key)
        busy = self._busy[key.namespace] - 1
        if busy:
            self._busy[key.namespace] = busy
        else:
            del self._busy[key.namespace]
        if again is not None:
            self.add(key, again)
        self._wake()

    def _note_end(self, key: Key) -> None:
        now = asyncio.get_running_loop().time()
        self._recent[key] = now + MIN_INTERVAL_SECONDS
        self._recent.move_to_end(key)
        while next(iter(self._recent.values())) <= now:
            self._recent.popitem(last=False)

    def _next(self) -> Key | None:
        if self._closed:
            return None
        self._taken += 1
        order = reversed(Priority) if self._taken % UNFAIR_EVERY == 0 else iter(Priority)
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
        while (namespace := self._next_namespace(namespaces)) is not None:
            keys = namespaces[namespace]
            key = keys.popleft()
            if keys:
                namespaces.move_to_end(namespace)
            else:
                del namespaces[namespace]
            if self._waiting.get(key) is priority:
                return key
        return None

    def _next_namespace(self, namespaces: Iterable[str]) -> str | None:
        """The first namespace that has not got its share of the workers yet."""
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
        """Sets the timer to the time at which the next delayed key is due."""
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
        """Whether a key is still due at that time."""
        return key in self._later and self._later[key][0] == due
