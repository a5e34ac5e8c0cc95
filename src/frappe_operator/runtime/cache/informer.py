"""Keeps a store equal to what the API server has of one kind: a list once, then a watch for ever.

A watch is trusted for seconds only: each stream is short, one that is silent beyond its time is left, and the next goes
on from the last resourceVersion. Nothing is lost in between, and a connection that died without a word costs no more.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from enum import Enum

import msgspec
import structlog
from msgspec import Raw, Struct

from frappe_operator.kube.kinds import Key
from frappe_operator.runtime.cache.decoding import Broken, Decoded, Decoder
from frappe_operator.runtime.cache.store import Change, Store
from frappe_operator.runtime.client.client import Client, selectors
from frappe_operator.runtime.client.errors import ApiError, Forbidden, Gone, NotFound, error_from
from frappe_operator.runtime.client.transport import Query, StreamResponse, TransportError

log = structlog.get_logger(__name__)

WATCH_SECONDS = 20
"""How long the server is asked to keep a stream."""
GRACE_SECONDS = 5
"""How long a stream may be silent beyond that before it is taken for dead."""
FIRST_WATCH_SECONDS = 300
"""How long the server may take to tell all that exists."""
FIRST_SILENCE_SECONDS = 60
"""How long it may pause while doing so."""
SHORTEST_SECONDS = 1.0
"""A stream that ends sooner is a failure: it must not be opened again at once."""
BACKOFF_SECONDS = (0.1, 10.0)
AT_ONCE = 32
"""Events that are taken in before others have their turn: about a millisecond's work."""
START_AFRESH_AFTER = 5
"""Refusals in a row after which the last resourceVersion itself is suspected."""
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


class _How(Enum):
    WATCH = "watch"
    PAGES = "pages"


_EVENT = msgspec.json.Decoder(_Event)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_FAILURE = msgspec.json.Decoder(_Failure)


class Informer:
    """One kind, of one namespace or all, into a store. `run` it for as long as the store is to be true."""

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
        """The resourceVersion up to which everything is known; 0 before the first list."""
        self._how = _How.WATCH
        self._seen: set[str] | None = None
        """UIDs told since the stream began, while it still tells what exists."""
        self._failures = 0
        self._missing = 0
        """How often in a row the kind was not installed, or could not be read though that is optional."""
        self._until = 0.0
        """Loop time when this stream is left."""
        self.heard = 0.0
        """Loop time of the last byte from the server: the age of the watch is measured from here."""
        self.broken = 0
        """Objects that could not be read."""
        self.answered = asyncio.Event()
        """Set once the store has been complete, or the kind was found not to be installed."""
        self.synced = asyncio.Event()
        """Set once the store has been complete; it stays complete, if behind at times."""

    @property
    def kind(self) -> str:
        return self.store.kind.kind

    @property
    def namespace(self) -> str:
        return self._namespace

    async def run(self) -> None:
        """Never returns. Trouble is waited out, with growing pauses."""
        while True:
            pause = 0.0
            try:
                if self._version == 0 and self._how is _How.PAGES:
                    await self._list()
                await self._watch()
            except Gone:
                log.info("watch too old, reading all again", kind=self.kind)
                self._version = 0
                pause = self._backoff()
            except ApiError as error:
                pause = self._after_refusal(error)
            except TransportError as error:
                log.info("watch broke", kind=self.kind, error=str(error))
                pause = self._backoff()
            if pause:
                await asyncio.sleep(pause)

    def _after_refusal(self, error: ApiError) -> float:
        if self._version == 0 and self._how is _How.WATCH and error.status in (400, 405, 422):
            # An API server that cannot send what exists through a watch.
            self._how = _How.PAGES
            return 0.0
        if isinstance(error, NotFound):
            self._set_installed(False)
        if self._optional and isinstance(error, Forbidden | NotFound):
            # The API server does answer.
            self._heard()
            self._publish(self.store.keep_only(set(), self._namespace, self._version))
            self._version = 0
            self.synced.set()
        if isinstance(error, NotFound) or (self._optional and isinstance(error, Forbidden)):
            self.answered.set()
            self._missing += 1
            return self._pause(MISSING_BACKOFF_SECONDS, self._missing - 1)
        log.warning("watch refused", kind=self.kind, error=str(error))
        if self._failures >= START_AFRESH_AFTER:
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
        """All objects, page by page; each page is let go before the next one comes."""
        seen: set[str] = set()
        version = 0
        async for page in self._client.pages(
            self.store.kind, self._namespace, self._selectors, metadata_only=self._metadata_only
        ):
            self._is_served()
            for raw in page.items:
                uid = self._read(raw)
                if uid:
                    seen.add(uid)
            version = int(page.resource_version)
        self._complete(seen, version)

    async def _watch(self) -> None:
        """One stream, to its end. Raises Gone, other ApiErrors, TransportError."""
        first = self._version == 0
        self._seen = set() if first else None
        async with self._client.watch(
            self.store.kind, self._namespace, {**self._selectors, **self._query()}, metadata_only=self._metadata_only
        ) as stream:
            self._is_served()
            opened, self._until = self.heard, self.heard + WATCH_SECONDS + GRACE_SECONDS
            try:
                async for lines in _lines(stream, self._patience):
                    self._heard()
                    for number, line in enumerate(lines, 1):
                        self._event(line)
                        # Before everything is known there are no others.
                        if number % AT_ONCE == 0 and self._seen is None:
                            await asyncio.sleep(0)
                    lines.clear()
            except TimeoutError:
                if not first:
                    log.info("watch is silent, opening another", kind=self.kind)
        if self._seen is not None:
            raise TransportError("the stream ended before it had told all that exists")
        if asyncio.get_running_loop().time() - opened < SHORTEST_SECONDS:
            raise TransportError("the server ends streams at once")

    def _query(self) -> Query:
        if self._version:
            seconds = WATCH_SECONDS - 2 + round(4 * self._jitter())
            return {"resourceVersion": str(self._version), "timeoutSeconds": str(seconds)}
        return {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "timeoutSeconds": str(FIRST_WATCH_SECONDS),
        }

    def _patience(self) -> float:
        """Loop time until which more must have come."""
        return self._until if self._seen is None else self.heard + FIRST_SILENCE_SECONDS

    def _is_served(self) -> None:
        self._missing = 0
        self._heard()
        self._set_installed(True)

    def _heard(self) -> None:
        self.heard = asyncio.get_running_loop().time()

    def _event(self, line: bytes) -> None:
        told = self._decoder.event(line)
        if told is None:
            self._other_event(line)
        elif told[0] == "DELETED":
            self._forget(told[1])
        else:
            uid = self._take(told[1])
            if self._seen is not None:
                self._seen.add(uid)

    def _other_event(self, line: bytes) -> None:
        """One that is not about an object, or about an object that cannot be read."""
        try:
            event = _EVENT.decode(line)
        except msgspec.MsgspecError as error:
            raise TransportError(f"the watch sent what is no event: {error}") from error
        if event.type == "BOOKMARK":
            self._bookmark(event.object)
        elif event.type == "ERROR":
            self._failed(event.object)
        elif event.type == "DELETED":
            self._forget(self._deleted(event.object))
        else:
            uid = self._read(event.object)
            if uid and self._seen is not None:
                self._seen.add(uid)

    def _bookmark(self, data: Raw) -> None:
        try:
            meta = _BOOKMARK.decode(data).metadata
            version = int(meta.resource_version)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TransportError(f"the watch sent a bookmark without a place: {error}") from error
        if self._seen is None:
            self._advance(version)
        elif (meta.annotations or {}).get(INITIAL_EVENTS_END) == "true":
            self._complete(self._seen, version)

    def _failed(self, data: Raw) -> None:
        try:
            code = _FAILURE.decode(data).code
        except msgspec.MsgspecError:
            code = 500
        raise error_from(code, {}, bytes(data))

    def _read(self, data: Raw) -> str:
        """Takes an object into the store; its UID, empty when that cannot be read either."""
        try:
            decoded = self._decoder.object(data)
        except Broken as error:
            self.broken += 1
            log.warning("object cannot be read", kind=self.kind, error=str(error))
            return self._uid(data)
        return self._take(decoded)

    def _take(self, decoded: Decoded) -> str:
        change = self.store.put(decoded)
        self._advance(decoded.item.version)
        if change:
            self._changed(change)
        return decoded.item.live.metadata.uid

    def _uid(self, data: Raw) -> str:
        """Of an object that cannot be read otherwise: it exists, so what is known of it is kept."""
        try:
            return _ONLY_UID.decode(data).metadata.uid
        except msgspec.MsgspecError:
            return ""

    def _deleted(self, data: Raw) -> Decoded:
        try:
            return self._decoder.object(data)
        except Broken as error:
            self.broken += 1
            log.warning("deleted object cannot be read", kind=self.kind, error=str(error))
            # Reading all again finds out what is not there any more.
            raise Gone(410, "Broken", str(error)) from error

    def _forget(self, decoded: Decoded) -> None:
        item = decoded.item
        meta = item.live.metadata
        change = self.store.bury(Key(meta.namespace, meta.name), meta.uid, item.version)
        self._advance(item.version)
        if change:
            self._changed(change)

    def _advance(self, version: int) -> None:
        # Not while what exists is being told: those come in any order, and one that is missing must be asked for again.
        if self._seen is None and self._version:
            self._version = max(self._version, version)
            self._failures = 0

    def _complete(self, seen: set[str], version: int) -> None:
        self._seen = None
        self._version = version
        self._failures = 0
        # The first stream was asked to be long, to tell everything. From here on it is a watch like any other.
        self._until = asyncio.get_running_loop().time() + WATCH_SECONDS + GRACE_SECONDS
        self._publish(self.store.keep_only(seen, self._namespace, version))
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


async def _lines(stream: StreamResponse, until: Callable[[], float]) -> AsyncIterator[list[bytes]]:
    """The stream's whole lines, as many at once as have come. Ends with the stream; a line that was cut is dropped.

    `until`: loop time until which more must have come, asked anew each time. Raises TimeoutError when none has.
    """
    chunks = aiter(stream)
    rest = b""
    while True:
        try:
            async with asyncio.timeout_at(until()):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        lines = chunk.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()
        # What comes at once may be megabytes, of each kind: it is let go before more is waited for.
        del chunk
        if lines:
            yield [line for line in lines if line and not line.isspace()]
        del lines
