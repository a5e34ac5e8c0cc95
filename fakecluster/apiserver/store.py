"""The objects of the cluster, and everything that ever happened to them, in order."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from fakecluster.apiserver.managed_fields import Managers, parsed
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Key, Manifest

PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


class Record:
    """One state of one object. Never changed: a write makes a new one."""

    __slots__ = ()

    @property
    def obj(self) -> Manifest:
        """The object. Not to be changed."""
        raise NotImplementedError

    @property
    def managers(self) -> Managers:
        """Which manager owns which of its fields."""
        raise NotImplementedError

    @property
    def wire(self) -> bytes:
        """The object as JSON."""
        raise NotImplementedError

    @property
    def metadata_wire(self) -> bytes:
        """Its metadata as JSON, a PartialObjectMetadata."""
        return orjson.dumps({**PARTIAL, "metadata": self.obj["metadata"]})

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.obj["metadata"].get("labels", {})
        return labels


class WrittenRecord(Record):
    """An object that was written through the API."""

    __slots__ = ("_managers", "_obj", "_wire")

    def __init__(self, obj: Manifest, managers: Managers | None) -> None:
        """`managers`: None for those that its managedFields name."""
        self._obj = obj
        self._managers = managers
        self._wire = b""

    @property
    def obj(self) -> Manifest:
        return self._obj

    @property
    def managers(self) -> Managers:
        if self._managers is None:
            self._managers = parsed(self._obj["metadata"].get("managedFields", []))
        return self._managers

    @property
    def wire(self) -> bytes:
        if not self._wire:
            self._wire = orjson.dumps(self._obj)
        return self._wire


class SerializedRecord(Record):
    """An object that exists as JSON only, and is parsed each time that a field of it is read.

    A cluster of a hundred thousand objects has no room for as many parsed ones.
    """

    __slots__ = ()

    @property
    def obj(self) -> Manifest:
        obj: Manifest = orjson.loads(self.wire)
        return obj

    @property
    def managers(self) -> Managers:
        return parsed(self.obj["metadata"].get("managedFields", []))


class Change(NamedTuple):
    """One event of a watch."""

    version: int
    type: str
    record: Record
    before: Record | None


class Feed:
    """What happened to the objects of one kind, for those who watch it. Changes are numbered from 0."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: how many changes are remembered at least; None: all."""
        self.total = 0
        self.oldest = 0
        """Watches from before this version have missed changes that are not remembered."""
        self.changes: list[Change] = []
        """Those that are remembered, the newest last."""
        self._limit = limit
        self._waiting: list[asyncio.Future[None]] = []
        self.readers: set[Reader] = set()
        self.progress = asyncio.Event()
        """Set when a reader has read something, or reads no more."""

    def add(self, change: Change) -> None:
        self.total += 1
        self.changes.append(change)
        if self._limit and len(self.changes) >= 2 * self._limit:
            self.oldest = self.changes[-self._limit - 1].version
            del self.changes[: -self._limit]
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def more(self, seconds: float) -> None:
        """Wait until something happens, at most so long."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await asyncio.wait([future], timeout=seconds)

    def read_after(self, version: int) -> "Reader":
        """A reader of what happens after a resource version. To be closed."""
        low, high = 0, len(self.changes)
        while low < high:
            middle = (low + high) // 2
            if self.changes[middle].version <= version:
                low = middle + 1
            else:
                high = middle
        return Reader(self, self.total - len(self.changes) + low)

    async def read_by_all(self, unread: int = 0) -> None:
        """Wait until no reader has more than so many changes still to read."""
        while any(self.total - reader.number > unread for reader in self.readers):
            self.progress.clear()
            await self.progress.wait()


class Reader:
    """How far one watch has read."""

    def __init__(self, feed: Feed, number: int) -> None:
        self.number = number
        """Of the next change to read."""
        self._feed = feed
        feed.readers.add(self)

    def close(self) -> None:
        self._feed.readers.discard(self)
        self._feed.progress.set()

    @property
    def behind(self) -> bool:
        """Whether there is something to read."""
        return self.number < self._feed.total

    def next(self, most: int) -> Sequence[Change]:
        """The next changes, so many at most. They count as read once `read` was called."""
        first = self.number - (self._feed.total - len(self._feed.changes))
        assert first >= 0, "a watch is too slow: what it has not read is not remembered any more"
        return self._feed.changes[first : first + most]

    def read(self, count: int) -> None:
        """So many changes more were read."""
        self.number += count
        self._feed.progress.set()


class Store:
    """All objects by kind, namespace and name; one resource version for the whole cluster."""

    def __init__(self, version: int = 1, limit: int | None = None) -> None:
        """`limit`: how many changes of each kind are remembered at least; None: all."""
        self.version = version
        self.oldest = 0
        """Watches from before this version get 410."""
        self.objects: dict[Kind, dict[Key, Record]] = {}
        self.by_uid: dict[str, Ref] = {}
        self.feeds: dict[Kind, Feed] = {}
        self.listeners: list[Callable[[Ref, Change], Any]] = []
        """Called for everything that happens."""
        self._limit = limit

    def feed(self, kind: Kind) -> Feed:
        feed = self.feeds.get(kind)
        if feed is None:
            feed = self.feeds[kind] = Feed(self._limit)
        return feed

    def get(self, ref: Ref) -> Record | None:
        return self.objects.get(ref.kind, {}).get(Key(ref.namespace, ref.name))

    def list(self, kind: Kind, namespace: str = "") -> list[Record]:
        """The objects of a kind, in the order the API server lists them."""
        having = self.objects.get(kind, {})
        return [having[key] for key in sorted(key for key in having if namespace in ("", key.namespace))]

    def as_of(self, version: int, kind: Kind, namespace: str = "") -> Sequence[Record]:
        """The objects of a kind as they were at an earlier version, in the order the API server lists them."""
        having: dict[str, Record] = {}
        for change in self.feed(kind).changes:
            if change.version > version:
                break
            uid = change.record.obj["metadata"]["uid"]
            if change.type == "DELETED":
                having.pop(uid, None)
            else:
                having[uid] = change.record
        found = {_key(record): record for record in having.values()}
        return [found[key] for key in sorted(found) if not namespace or key.namespace == namespace]

    def refs(self) -> Iterator[Ref]:
        """Everything there is."""
        for kind, having in self.objects.items():
            for key in having:
                yield Ref(kind, *key)

    def load(self, ref: Ref, uid: str, record: Record) -> None:
        """Adds an object without an event, as if it had existed from the beginning."""
        self.objects.setdefault(ref.kind, {})[Key(ref.namespace, ref.name)] = record
        self.by_uid[uid] = ref

    def put(self, ref: Ref, obj: Manifest, managers: Managers | None = None) -> Record:
        """Stores a new state of an object and sets its resource version. `managers`: None for those it names itself."""
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        record, before = WrittenRecord(obj, managers), self.get(ref)
        self.load(ref, obj["metadata"]["uid"], record)
        self._tell(ref, Change(self.version, "MODIFIED" if before else "ADDED", record, before))
        return record

    def remove(self, ref: Ref) -> Record:
        """Deletes an object. Its last state carries the version of the deletion, as watches show it."""
        before = self.objects[ref.kind].pop(Key(ref.namespace, ref.name))
        last = orjson.loads(before.wire)
        del self.by_uid[last["metadata"]["uid"]]
        self.version += 1
        last["metadata"]["resourceVersion"] = str(self.version)
        record = WrittenRecord(last, before.managers)
        self._tell(ref, Change(self.version, "DELETED", record, before))
        return record

    def compact(self) -> None:
        """Discards the history: every watch and every page from before now gets 410."""
        self.oldest = self.version

    def _tell(self, ref: Ref, change: Change) -> None:
        self.feed(ref.kind).add(change)
        for listener in self.listeners:
            listener(ref, change)


def _key(record: Record) -> Key:
    metadata = record.obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])
