"""The real kernel, run from one of its states to the next request it makes: an event loop that only steps."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from contextvars import Context
from typing import Any, NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.apply.refusals import Refusals
from frappe_operator.runtime.cache.cache import Cache
from frappe_operator.runtime.cache.decoding import CachedObject, Decoded
from frappe_operator.runtime.cache.store import FOR_EVER, Store
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Headers, Query, Response, TransportError
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import cached_kinds
from frappe_operator.runtime.queue.handlers import EventHandlers
from frappe_operator.runtime.queue.queue import Priority, Queue
from frappe_operator.runtime.queue.reconcile import reconcile_key
from tests.modelcheck.minimal_controller import CONTROLLER, KEY, REFS
from tests.modelcheck.objects import ENTRIES, NOTHING, body
from tests.modelcheck.server import Answer, ApiRequest, response, take_apart

NOW = 1_770_000_000.0
"""Seconds since 1970. Time stands still: nothing that is decided depends on it."""
DONE = Response(201, {}, b"{}")


class Steps(asyncio.AbstractEventLoop):
    """An event loop in which only what was asked for happens, and no time passes."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()

    def run(self) -> None:
        """Goes on until everything waits."""
        asyncio._set_running_loop(self)
        try:
            while self._ready:
                self._ready.popleft()._run()
        finally:
            asyncio._set_running_loop(None)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(when, callback, args, self, context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nobody was waiting for it."""

    def time(self) -> float:
        return 0.0

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        return asyncio.Task(coro, loop=self, **more)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What was cancelled at the end of a run is nobody's concern."""


AS_READ = -1
"""What of an object is ours was seen in the very version that is in the cache."""
_SEEN: dict[int, int] = {}


def _applied(number: int, decoded: Decoded) -> int:
    if number not in _SEEN:
        _SEEN[number] = decoded.applied() if decoded.applied else 0
    return _SEEN[number]


class Rest(NamedTuple):
    """All the operator remembers between two looks."""

    known: tuple[tuple[int, int, int], ...] = ((NOTHING, 0, 0),) * len(REFS)
    """Of each object: the version in the cache, what of it is ours (or AS_READ), and what it was found right by."""
    graves: frozenset[tuple[int, str]] = frozenset()
    """UIDs of objects that it knows to be deleted."""
    unseen: frozenset[int] = frozenset()
    """Names that something has which the watches do not show."""
    wanted: bool = False
    """The Toy is to be looked at."""


class Remembering(Store):
    """A store that tells which of its objects were touched, and what was buried."""

    touched: set[Kind]
    graves: dict[str, int]

    def __len__(self) -> int:
        # That there is nothing is something to know as well.
        self.touched.add(self.kind)
        return super().__len__()

    def get(self, key: Key) -> CachedObject | None:
        self.touched.add(self.kind)
        return super().get(key)

    def owned(self, uid: str) -> list[Live]:
        self.touched.add(self.kind)
        return super().owned(uid)

    def put(self, decoded: Decoded) -> Any:
        self.touched.add(self.kind)
        return super().put(decoded)

    def delete(self, key: Key, uid: str, version: int) -> Any:
        self.touched.add(self.kind)
        self.graves[uid] = version
        return super().delete(key, uid, version)


KINDS = cached_kinds([CONTROLLER])


class Wire:
    """The end of the client: a request waits here until somebody answers it."""

    def __init__(self) -> None:
        self.pending: list[tuple[ApiRequest, asyncio.Future[Response]]] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> Response:
        request = take_apart(method, path, query or {}, headers or {}, body)
        if request is None:
            return DONE
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.pending.append((request, future))
        return await future

    def stream(self, path: str, **more: Any) -> Any:
        raise NotImplementedError("watches are played by hand")


_WIRE = Wire()
_HANDLERS = EventHandlers([CONTROLLER], lambda kind, key, priority: _QUEUE[0].add(key, priority))
_CLUSTER = Cluster(
    Client(_WIRE),
    Cache(KINDS),
    changed=lambda change, writer=None: _HANDLERS.changed(change, writer),
    requeue=lambda kind, key, seconds: _QUEUE[0].add_after(key, seconds),
    clock=lambda: NOW,
)
_HANDLERS.start(_CLUSTER)
"""One for all runs: its decoders take longest to make. All it remembers is replaced for each run."""
_QUEUE: list[Queue] = []


class Run:
    """One run of the operator, from a `Rest`. Only the newest run may be used."""

    def __init__(self, start: Rest) -> None:
        self._loop = Steps()  # type: ignore[abstract]
        self._wire, self._cluster = _WIRE, _CLUSTER
        self._wire.pending = []
        self.touched: set[Kind] = set()
        self._graves: dict[str, int] = {}
        self._numbers: dict[tuple[int, str, int], int] = {}
        """The versions that have come in, by object, UID and version."""
        self.outcome = ""
        self._task: asyncio.Task[None] | None = None
        self._prepare(start)

    def _prepare(self, start: Rest) -> None:
        cluster = self._cluster
        cluster._states.clear()
        cluster.state(Refusals).uncached = {REFS[index] for index in start.unseen}
        for kind, each in cluster.cache.kinds.items():
            store = Remembering(kind, each.indices)
            store.touched, store.graves = self.touched, self._graves
            cluster.cache.stores[kind] = store
        for index, uid in start.graves:
            cluster.cache.stores[REFS[index].kind].delete(_key(index), uid, FOR_EVER)
        for index, (number, applied, verified) in enumerate(start.known):
            if number == NOTHING:
                continue
            kind = REFS[index].kind
            decoded = cluster.cache.decoders[kind].object(body(number))
            decoded.item.applied = _applied(number, decoded) if applied == AS_READ else applied
            decoded.item.verified = verified
            cluster.cache.stores[kind].put(Decoded(decoded.item, None))
            self._came(number)
        self._queue = Queue(workers=1, jitter=lambda: 0.0)
        _QUEUE[:] = [self._queue]
        with self._inside():
            if start.wanted:
                self._queue.add(KEY, Priority.EDIT)

    @contextmanager
    def _inside(self) -> Any:
        asyncio._set_running_loop(self._loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    @property
    def pending(self) -> tuple[ApiRequest, ...]:
        """Requests that wait for an answer."""
        return tuple(request for request, _ in self._wire.pending)

    def begin(self) -> None:
        """A worker takes the Toy and looks at it."""
        self._task = self._loop.create_task(self._turn())
        self._loop.run()

    async def _turn(self) -> None:
        key = await self._queue.take()
        try:
            self.outcome = await reconcile_key(self._cluster, CONTROLLER, self._queue, key)
        finally:
            self._queue.done(key)

    def tell(self, number: int) -> None:
        """The watch tells of a version."""
        entry = ENTRIES[number]
        before = set(self.touched)
        kind = REFS[entry.part].kind
        if entry.strange:
            return
        with self._inside():
            if entry.gone:
                change = self._cluster.cache.stores[kind].delete(_key(entry.part), entry.uid, entry.version)
            else:
                change = self._cluster.cache.stores[kind].put(self._cluster.cache.decoders[kind].object(body(number)))
                self._came(number)
            if change:
                _HANDLERS.changed(change)
        self.touched.intersection_update(before)

    def answer(self, place: int, answer: Answer) -> None:
        """A request is answered, and the operator goes on to the next one."""
        _, future = self._wire.pending.pop(place)
        if answer.code:
            if answer.entry:
                self._came(answer.entry)
            future.set_result(response(answer))
        else:
            future.set_exception(TransportError("connection reset"))
        self._loop.run()

    @property
    def done(self) -> bool:
        return self._task is not None and self._task.done()

    def rest(self) -> Rest:
        """What the operator remembers now."""
        known = []
        for index, ref in enumerate(REFS):
            item = self._cluster.cached(ref)
            if item is None:
                known.append((NOTHING, 0, 0))
            else:
                number = self._numbers[index, item.live.metadata.uid, item.version]
                known.append((number, item.applied, item.verified))
        by_name = {ref.name: index for index, ref in enumerate(REFS)}
        graves = {(by_name[uid.rsplit("-", 1)[0]], uid) for uid, version in self._graves.items()}
        unseen = {REFS.index(ref) for ref in self._cluster.state(Refusals).uncached}
        wanted = len(self._queue) + self._queue.delayed > 0
        return Rest(tuple(known), frozenset(graves), frozenset(unseen), wanted)

    def end(self) -> None:
        """Stops what is under way."""
        if self._task is not None and not self._task.done():
            self._wire.pending = []
            self._task.cancel()
            self._loop.run()

    def _came(self, number: int) -> None:
        entry = ENTRIES[number]
        self._numbers[entry.part, entry.uid, entry.version] = number


def _key(index: int) -> Key:
    return Key(REFS[index].namespace, REFS[index].name)
