"""Keeps the store of one kind equal to what the API server has: one list, then watches.

A watch is trusted for seconds only: each stream is short, a stream without any event or bookmark is abandoned after its
time, and the next one continues from the last resourceVersion. No event is lost in between, and a connection that died
silently costs no more than that.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from enum import Enum

import msgspec
import structlog
from msgspec import Raw, Struct

from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.decoding import Decoded, DecodeError, Decoder
from frappe_operator.runtime.cache.store import Change, Store
from frappe_operator.runtime.client.client import Client, selectors
from frappe_operator.runtime.client.errors import ApiError, Forbidden, Gone, NotFound, error_from
from frappe_operator.runtime.client.transport import Query, StreamResponse, TransportError

log = structlog.get_logger(__name__)

WATCH_SECONDS = 20
"""How long the API server shall keep a watch stream open."""
GRACE_SECONDS = 5
"""How long a watch stream may be open beyond WATCH_SECONDS before it is taken for dead."""
FIRST_WATCH_SECONDS = 300
"""How long the server may take to send all objects through the first watch."""
FIRST_SILENCE_SECONDS = 60
"""How long the server may pause while it sends all objects."""
SHORTEST_SECONDS = 1.0
"""A stream that ends sooner counts as a failure: the next one is opened with backoff."""
BACKOFF_SECONDS = (0.1, 10.0)
"""The first and the longest pause after a failure."""
EVENTS_PER_STEP = 32
"""Events that are processed before other tasks run: about a millisecond's work."""
RELIST_AFTER = 5
"""Refused watches in a row after which all objects are listed again: the resourceVersion itself may be the cause."""
MISSING_BACKOFF_SECONDS = (1.0, 60.0)
"""The first and the longest pause before a kind that is not installed, or may not be read, is requested again."""

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class _Event(Struct):
    type: str
    object: Raw


class _BookmarkMeta(Struct, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Bookmark(Struct):
    metadata: _BookmarkMeta


class _Failure(Struct):
    code: int = 0


class _ListMode(Enum):
    """How all objects are read."""

    WATCH = "watch"
    PAGES = "pages"


_EVENT = msgspec.json.Decoder(_Event)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_FAILURE = msgspec.json.Decoder(_Failure)


class Informer:
    """Lists and watches one kind, in one namespace or in all, and puts what it finds into a store."""

    def __init__(
        self,
        client: Client,
        store: Store,
        decoder: Decoder,
        changed: Callable[[Change], None],
        *,
        installed: Callable[[], None] = lambda: None,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        optional: bool = False,
        install: str = "",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`changed` is called for real differences only, `installed` when the kind has been installed or removed
        (`Store.installed`). `optional`: a kind that is not installed, or may not be read, counts as one without
        objects. `install`: what to do about a kind that is not installed, for the log. `jitter`: a random number from 0
        to 1."""
        self._client = client
        self.store = store
        self._decoder = decoder
        self._changed = changed
        self._installed = installed
        self._namespace = namespace
        self._selectors = selectors(labels, fields)
        self._metadata_only = metadata_only
        self._optional = optional
        self._install = install
        self._jitter = jitter
        self._version = 0
        """The resourceVersion up to which the store is complete; 0: all objects have to be listed."""
        self._list_mode = _ListMode.WATCH
        self._listed: set[str] | None = None
        """The UIDs that the stream has sent so far, while it still sends all existing objects."""
        self._failures = 0
        self._missing = 0
        """How often in a row the kind was not installed, or could not be read though that is optional."""
        self._stream_ends = 0.0
        """Loop time after which the current stream is abandoned."""
        self.last_activity = 0.0
        """Loop time of the last byte from the API server: the age of the watch is measured from here."""
        self.undecodable = 0
        """How many objects could not be decoded."""
        self.answered = asyncio.Event()
        """Set once the store has been complete, or the kind was found not to be installed or not to be readable."""
        self.synced = asyncio.Event()
        """Set once the store has been complete. It may lag behind the API server, and is never incomplete again."""

    @property
    def kind(self) -> str:
        return self.store.kind.kind

    @property
    def namespace(self) -> str:
        return self._namespace

    async def run(self) -> None:
        """Lists and watches for ever. Failures are retried with backoff."""
        while True:
            pause = 0.0
            try:
                if self._version == 0 and self._list_mode is _ListMode.PAGES:
                    await self._list()
                await self._watch()
            except Gone:
                log.info("resourceVersion of the watch has expired; listing all objects", kind=self.kind)
                self._version = 0
                pause = self._backoff()
            except ApiError as error:
                pause = self._pause_after(error)
            except TransportError as error:
                log.info("watch failed; retrying", kind=self.kind, error=str(error))
                pause = self._backoff()
            if pause:
                await asyncio.sleep(pause)

    def _pause_after(self, error: ApiError) -> float:
        if self._version == 0 and self._list_mode is _ListMode.WATCH and error.status in (400, 405, 422):
            # The API server cannot send the existing objects through a watch.
            self._list_mode = _ListMode.PAGES
            return 0.0
        if isinstance(error, NotFound):
            self._set_installed(False)
        if self._optional and isinstance(error, Forbidden | NotFound):
            # The API server does answer.
            self._note_activity()
            self._publish(self.store.delete_unlisted(set(), self._namespace, self._version))
            self._version = 0
            self.synced.set()
        if isinstance(error, NotFound | Forbidden):
            self.answered.set()
        if isinstance(error, NotFound) or (self._optional and isinstance(error, Forbidden)):
            self._missing += 1
            return self._pause(MISSING_BACKOFF_SECONDS, self._missing - 1)
        log.warning("API server refused the watch; retrying", kind=self.kind, error=str(error))
        if self._failures >= RELIST_AFTER:
            self._version = 0
        return max(self._backoff(), error.retry_after or 0.0)

    def _backoff(self) -> float:
        self._failures += 1
        return self._pause(BACKOFF_SECONDS, self._failures - 1)

    def _pause(self, bounds: tuple[float, float], failures: int) -> float:
        first, longest = bounds
        return min(first * 2.0 ** min(failures, 16), longest) * (0.5 + self._jitter() / 2)

    def _set_installed(self, installed: bool) -> None:
        if installed == self.store.installed:
            return
        self.store.installed = installed
        if installed:
            log.info("kind is installed now", kind=self.kind)
        else:
            log.warning("kind is not installed in this cluster", kind=self.kind, install=self._install)
        self._installed()

    async def _list(self) -> None:
        """Lists all objects, page by page; each page is released before the next one is requested."""
        listed: set[str] = set()
        version = 0
        async for page in self._client.pages(
            self.store.kind, self._namespace, self._selectors, metadata_only=self._metadata_only
        ):
            self._is_served()
            for raw in page.items:
                uid = self._put_raw(raw)
                if uid:
                    listed.add(uid)
            version = int(page.resource_version)
        self._complete(listed, version)

    async def _watch(self) -> None:
        """Processes one watch stream to its end. Raises Gone, other ApiErrors and TransportError."""
        first = self._version == 0
        self._listed = set() if first else None
        async with self._client.watch(
            self.store.kind, self._namespace, {**self._selectors, **self._query()}, metadata_only=self._metadata_only
        ) as stream:
            self._is_served()
            opened, self._stream_ends = self.last_activity, self.last_activity + WATCH_SECONDS + GRACE_SECONDS
            try:
                async for lines in _lines(stream, self._deadline):
                    self._note_activity()
                    for number, line in enumerate(lines, 1):
                        self._process(line)
                        # While the cache fills there is no other work.
                        if number % EVENTS_PER_STEP == 0 and self._listed is None:
                            await asyncio.sleep(0)
                    lines.clear()
            except TimeoutError:
                if not first:
                    log.info("watch is silent; opening another", kind=self.kind)
        if self._listed is not None:
            raise TransportError("the watch ended before it had sent all existing objects")
        if asyncio.get_running_loop().time() - opened < SHORTEST_SECONDS:
            raise TransportError("the watch ended at once")

    def _query(self) -> Query:
        if self._version:
            seconds = WATCH_SECONDS - 2 + round(4 * self._jitter())
            return {"resourceVersion": str(self._version), "timeoutSeconds": str(seconds)}
        return {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "timeoutSeconds": str(FIRST_WATCH_SECONDS),
        }

    def _deadline(self) -> float:
        """Loop time by which the stream must send more."""
        return self._stream_ends if self._listed is None else self.last_activity + FIRST_SILENCE_SECONDS

    def _is_served(self) -> None:
        self._missing = 0
        self._note_activity()
        self._set_installed(True)

    def _note_activity(self) -> None:
        self.last_activity = asyncio.get_running_loop().time()

    def _process(self, line: bytes) -> None:
        event = self._decoder.event(line)
        if event is None:
            self._process_other(line)
        elif event[0] == "DELETED":
            self._delete(event[1])
        else:
            uid = self._put(event[1])
            if self._listed is not None:
                self._listed.add(uid)

    def _process_other(self, line: bytes) -> None:
        """Processes an event that is not about an object, or about an object that cannot be decoded."""
        try:
            event = _EVENT.decode(line)
        except msgspec.MsgspecError as error:
            raise TransportError(f"the watch sent a line that is no event: {error}") from error
        if event.type == "BOOKMARK":
            self._bookmark(event.object)
        elif event.type == "ERROR":
            self._raise_error(event.object)
        elif event.type == "DELETED":
            self._delete(self._decode_deleted(event.object))
        else:
            uid = self._put_raw(event.object)
            if uid and self._listed is not None:
                self._listed.add(uid)

    def _bookmark(self, data: Raw) -> None:
        try:
            meta = _BOOKMARK.decode(data).metadata
            version = int(meta.resource_version)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TransportError(f"the watch sent a bookmark without a resourceVersion: {error}") from error
        if self._listed is None:
            self._advance(version)
        elif (meta.annotations or {}).get(INITIAL_EVENTS_END) == "true":
            self._complete(self._listed, version)

    def _raise_error(self, data: Raw) -> None:
        try:
            code = _FAILURE.decode(data).code
        except msgspec.MsgspecError:
            code = 500
        raise error_from(code, {}, bytes(data))

    def _put_raw(self, data: Raw) -> str:
        """Decodes and caches an object. Returns its UID, empty when not even that can be decoded."""
        try:
            decoded = self._decoder.object(data)
        except DecodeError as error:
            self.undecodable += 1
            log.warning("object cannot be decoded", kind=self.kind, error=str(error))
            return self._uid(data)
        return self._put(decoded)

    def _put(self, decoded: Decoded) -> str:
        change = self.store.put(decoded)
        self._advance(decoded.item.version)
        if change:
            self._changed(change)
        return decoded.item.live.metadata.uid

    def _uid(self, data: Raw) -> str:
        """The UID of an object that cannot be decoded otherwise: it exists, so its cached version stays."""
        try:
            return _ONLY_UID.decode(data).metadata.uid
        except msgspec.MsgspecError:
            return ""

    def _decode_deleted(self, data: Raw) -> Decoded:
        try:
            return self._decoder.object(data)
        except DecodeError as error:
            self.undecodable += 1
            log.warning("deleted object cannot be decoded; listing all objects", kind=self.kind, error=str(error))
            # A list shows which object does not exist any more.
            raise Gone(410, "Broken", str(error)) from error

    def _delete(self, decoded: Decoded) -> None:
        item = decoded.item
        meta = item.live.metadata
        change = self.store.delete(Key(meta.namespace, meta.name), meta.uid, item.version)
        self._advance(item.version)
        if change:
            self._changed(change)

    def _advance(self, version: int) -> None:
        # Not while existing objects are being sent: they come in any order, and a cut stream must be started again.
        if self._listed is None and self._version:
            self._version = max(self._version, version)
            self._failures = 0

    def _complete(self, listed: set[str], version: int) -> None:
        self._listed = None
        self._version = version
        self._failures = 0
        # The first stream was requested for long, to send all objects. From here on it is a watch like any other.
        self._stream_ends = asyncio.get_running_loop().time() + WATCH_SECONDS + GRACE_SECONDS
        self._publish(self.store.delete_unlisted(listed, self._namespace, version))
        self.answered.set()
        self.synced.set()

    def _publish(self, changes: list[Change]) -> None:
        for change in changes:
            self._changed(change)


class _UidMeta(Struct):
    uid: str = ""


class _OnlyUid(Struct):
    metadata: _UidMeta


_ONLY_UID = msgspec.json.Decoder(_OnlyUid)


async def _lines(stream: StreamResponse, deadline: Callable[[], float]) -> AsyncIterator[list[bytes]]:
    """The complete lines of a stream, as many at a time as have arrived. A line that is cut by the end is dropped.

    `deadline`: gives the loop time by which more must arrive, each time anew. Raises TimeoutError when nothing has.
    """
    chunks = aiter(stream)
    rest = b""
    while True:
        try:
            async with asyncio.timeout_at(deadline()):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        lines = chunk.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()
        # A chunk may have megabytes, for each kind: it is released before the next one is awaited.
        del chunk
        if lines:
            yield [line for line in lines if line and not line.isspace()]
        del lines
