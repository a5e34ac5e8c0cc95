"""The cluster as a reconcile sees it: what is known, without asking; what is asked for freshly; and what is written.

Every answer to a write goes into what is known, so that nobody decides anything from before their own last write.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from frappe_operator.kube.kinds import Key, Kind, Manifest, Ref, ref_of
from frappe_operator.kube.live import Live, Meta
from frappe_operator.runtime.apply.refusals import Refusals
from frappe_operator.runtime.cache.bodies import Bodies
from frappe_operator.runtime.cache.decoding import Broken, Decoder, Item
from frappe_operator.runtime.cache.selector import matches
from frappe_operator.runtime.cache.store import FOR_EVER, Change, Store
from frappe_operator.runtime.client.client import Client, decoded, selectors
from frappe_operator.runtime.client.errors import NotFound
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.controller import Reader, Watched
from frappe_operator.runtime.queue.queue import Priority
from frappe_operator.runtime.status.event_budget import Budget
from frappe_operator.runtime.status.findings import Findings
from frappe_operator.runtime.status.pace import Pace

log = structlog.get_logger(__name__)

Enqueue = Callable[[Kind, Key, Priority], None]
Later = Callable[[Kind, Key, float], None]
By = tuple[Kind, Key]
"""The object whose reconcile writes."""

YOUNG_SECONDS = 60.0
"""How long what a new process is shown may be from the past: an API server that has lost touch has old caches."""


class _Answer(Struct):
    kind: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)
_METADATA = Decoder(Live, metadata_only=True)


class Cluster:
    """One per process. Kinds that are not watched can be read and written, but nothing is known of them."""

    def __init__(
        self,
        client: Client,
        watched: Mapping[Kind, Watched],
        *,
        namespaces: tuple[str, ...] = (),
        clock: Callable[[], float],
        enqueue: Enqueue,
        later: Later,
        instance: str = "",
    ) -> None:
        """`clock`: seconds since 1970. `enqueue` and `later` have a controller's object looked at, now or after some
        seconds. `instance`: the name of this process in events."""
        self.client = client
        self.clock = clock
        self.instance = instance or "frappe-operator"
        self._watched = watched
        self._namespaces = namespaces
        self._enqueue = enqueue
        self._later = later
        self.stores = {kind: Store(kind, each.indices) for kind, each in watched.items()}
        self.decoders: dict[Kind, Decoder] = {
            kind: Decoder(each.projection, metadata_only=each.metadata_only, known=self.stores[kind].get)
            for kind, each in watched.items()
        }
        self._bodies = Bodies()
        self.event_budget = Budget()
        self.pace = Pace()
        self.refusals = Refusals()
        self.findings = Findings()
        self.listening = False
        """Whether changes have anything looked at: not before everything is known for the first time."""
        self._began = ""
        self._young_until = 0.0
        self._answered: set[str] = set()
        """UIDs of owners that the API server has answered about since this process began to act; kept while young."""

    def begin(self) -> None:
        """From now on this process acts; changes have what they concern looked at."""
        self.listening = True
        self._began, self._young_until = self.now(), self.clock() + YOUNG_SECONDS

    # What is known

    def may_be_behind(self, live: Live) -> bool:
        """Whether a process before this one may have acted on something newer than what we were shown of an object."""
        meta = live.metadata
        older = meta.creation_timestamp <= self._began and self.clock() < self._young_until
        return older and meta.uid not in self._answered

    def get(self, kind: Kind, namespace: str, name: str) -> Live | None:
        """An object as it is known, None when none is. Raises KeyError for a kind that is not watched."""
        item = self.stores[kind].get(Key(namespace, name))
        return item.live if item else None

    def item(self, ref: Ref) -> Item | None:
        """The same with its digest; None as well for a kind that is not watched."""
        store = self.stores.get(ref.kind)
        return None if store is None else store.get(Key(ref.namespace, ref.name))

    def all(self, kind: Kind) -> list[Live]:
        """All objects of a kind, as they are known."""
        return self.stores[kind].all()

    def select(self, kind: Kind, index: str, value: str) -> list[Live]:
        """The objects that an index of the kind's watch has under a value."""
        return self.stores[kind].select(index, value)

    def owned(self, uid: str) -> list[tuple[Kind, Live]]:
        """Every known object whose controller has this UID."""
        return [(kind, live) for kind, store in self.stores.items() for live in store.owned(uid)]

    # What is asked for

    async def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The whole object as it is now, None when there is none."""
        try:
            body = await self.client.get(kind, namespace, name)
        except NotFound:
            return None
        if kind in self.stores:
            self.note(kind, body)
        return decoded(body)

    async def metadata(self, kind: Kind, namespace: str, name: str) -> Live | None:
        """The object's metadata as it is now, None when there is none."""
        try:
            body = await self.client.get(kind, namespace, name, metadata_only=True)
        except NotFound:
            return None
        return _live(body)

    async def body(
        self, kind: Kind, namespace: str, name: str, keep: Callable[[bytes], bytes] | None = None
    ) -> Manifest | None:
        """The whole of a known object; asked for once, then remembered while it does not change. None: not known.

        `keep`: what of it is remembered and returned, where that is not all; the same for everyone who asks.
        """
        live = self.get(kind, namespace, name)
        if live is None:
            return None

        async def ask() -> tuple[str, int, bytes]:
            body = await self.client.get(kind, namespace, name)
            self.note(kind, body)
            found = _live(body).metadata
            return found.uid, found.resource_version, keep(body) if keep else body

        try:
            return decoded(await self._bodies.get(live.metadata.uid, live.metadata.resource_version, ask))
        except NotFound:
            return None

    async def list(self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "") -> list[Manifest]:
        """All objects as they are now. `labels` and `fields`: selectors."""
        return [
            decoded(bytes(raw))
            async for page in self.client.pages(kind, namespace, selectors(labels, fields))
            for raw in page.items
        ]

    # What is written

    async def create(self, manifest: Manifest, by: By | None = None) -> Live:
        """`by`: who need not be told that there is a child more: they have made it. Raises AlreadyExists."""
        return self._written(ref_of(manifest).kind, await self.client.create(manifest), by)

    async def apply(self, manifest: Manifest, by: By | None = None) -> Live:
        """Server-side apply. A `metadata.uid` in the manifest must be the object's: Conflict. `by`: as for `create`."""
        return self._written(ref_of(manifest).kind, await self.client.apply(manifest), by)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
        by: By | None = None,
    ) -> Live:
        """A JSON merge patch. `by`: who need not be told of it, for it is their own word."""
        return self._written(kind, await self.client.patch(kind, namespace, name, patch, subresource), by)

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, version: str = "", propagation: str = "Background"
    ) -> None:
        """Deletes the object with this UID, and this resourceVersion if one is given; that it is gone already is fine.

        Raises Conflict when it is another.
        """
        try:
            body = await self.client.delete(kind, namespace, name, uid, version=version, propagation=propagation)
        except NotFound:
            return
        if kind in self.stores:
            self._note_deleted(kind, Key(namespace, name), uid, body)

    def _written(self, kind: Kind, body: bytes, by: By | None = None) -> Live:
        if kind in self.stores:
            self.note(kind, body, by)
        return _live(body)

    # What follows

    def note(self, kind: Kind, body: bytes, by: By | None = None) -> None:
        """Takes what the API server answered into what is known, where a watch would see it too."""
        try:
            decoded = self.decoders[kind].object(body)
        except Broken as error:
            # It was done all the same; the watch will tell, or fail to, once more.
            log.warning("answer cannot be read", kind=kind.kind, error=str(error))
            return
        meta = decoded.item.live.metadata
        if self.clock() >= self._young_until:
            self._answered.clear()
        elif meta.controller is None:
            self._answered.add(meta.uid)
        if self._seen_by_watch(kind, meta):
            change = self.stores[kind].put(decoded)
            if change:
                self.changed(change, by)

    def changed(self, change: Change, by: By | None = None) -> None:
        """Has everything looked at that a change concerns. `by` hears of it only when there is more than its own word:
        what somebody else did meanwhile comes with the answer to our own write, and the watch, which is behind, will
        find nothing new in it."""
        if not self.listening:
            return
        if by is not None and _more_than_our_word(change, by):
            by = None
        for reader in self._watched[change.kind].readers:
            priority = _priority(change) if reader.kind == change.kind else Priority.EVENT
            for key in self._concerned(reader, change):
                if (reader.kind, key) != by:
                    self._enqueue(reader.kind, key, priority)

    def _concerned(self, reader: Reader, change: Change) -> Iterable[Key]:
        sides = [live for live in (change.old, change.new) if live is not None]
        concerned: dict[Key, None] = {}
        try:
            if len(sides) == 2 and reader.news is not None and reader.news(sides[0]) == reader.news(sides[1]):
                return ()
            for live in sides:
                concerned.update(dict.fromkeys(reader.keys(self, live)))
        except Exception:
            # One strange object must not stop the news of all others.
            key = str(sides[0].metadata.key)
            log.exception("cannot tell whom a change concerns", kind=change.kind.kind, object=key)
        return concerned

    def enqueue(self, kind: Kind, key: Key) -> None:
        """Has an object looked at by the controller of its kind."""
        self._enqueue(kind, key, Priority.EVENT)

    def look_again(self, kind: Kind, key: Key, seconds: float) -> None:
        """The same, in a while."""
        self._later(kind, key, seconds)

    def now(self) -> str:
        """The time as Kubernetes writes it, to the second."""
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _seen_by_watch(self, kind: Kind, meta: Meta) -> bool:
        in_scope = not self._namespaces or not kind.namespaced or meta.namespace in self._namespaces
        watched = self._watched[kind]
        # Whether fields are chosen is for the watch to tell.
        return in_scope and not watched.fields and matches(watched.labels, meta)

    def _note_deleted(self, kind: Kind, key: Key, uid: str, body: bytes) -> None:
        try:
            gone = _ANSWER.decode(body).kind == "Status"
        except msgspec.MsgspecError:
            return
        if not gone:
            # It has finalizers: it stays until others are done with it.
            self.note(kind, body)
        elif change := self.stores[kind].bury(key, uid, FOR_EVER):
            self.changed(change)


def _live(body: bytes) -> Live:
    try:
        return _METADATA.object(body).item.live
    except Broken as error:
        raise TransportError(f"The answer is no object: {error}") from error


def _more_than_our_word(change: Change, by: By) -> bool:
    """Whether the object is not what it was but for its status and its finalizers, nor a child that was just made."""
    if change.old is None or change.new is None:
        return change.new is None or change.kind == by[0]
    old, new = change.old.metadata, change.new.metadata
    fields = ("generation", "deletion_timestamp", "labels", "annotations")
    return any(getattr(old, name) != getattr(new, name) for name in fields)


def _priority(change: Change) -> Priority:
    """Of an object's own change: new, about to go, or asked to be something else is what people wait for."""
    if change.old is None or change.new is None:
        return Priority.EDIT
    old, new = change.old.metadata, change.new.metadata
    edited = old.generation != new.generation or old.deletion_timestamp != new.deletion_timestamp
    return Priority.EDIT if edited else Priority.EVENT
