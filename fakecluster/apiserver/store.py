"""The objects of the cluster and everything that ever happened to them, in order."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from fakecluster.apiserver.managed_fields import Managers
from frappe_operator.kube.kinds import Key, Kind, Manifest, Ref


class Record:
    """One state of one object. Never changed: a write makes a new one."""

    __slots__ = ("_wire", "managers", "obj")

    def __init__(self, obj: Manifest, managers: Managers) -> None:
        self.obj = obj
        self.managers = managers
        self._wire = b""

    @property
    def wire(self) -> bytes:
        """The object as JSON."""
        if not self._wire:
            self._wire = orjson.dumps(self.obj)
        return self._wire


class Change(NamedTuple):
    """One event of a watch."""

    version: int
    type: str
    record: Record
    before: Record | None


class Feed:
    """What happened to the objects of one kind, for those who watch it."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._waiting: list[asyncio.Future[None]] = []

    def add(self, change: Change) -> None:
        self.changes.append(change)
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def more(self, seconds: float) -> None:
        """Wait until something happens, at most so long."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await asyncio.wait([future], timeout=seconds)

    def since(self, version: int) -> int:
        """Where in `changes` the first one after a resource version stands."""
        low, high = 0, len(self.changes)
        while low < high:
            middle = (low + high) // 2
            if self.changes[middle].version <= version:
                low = middle + 1
            else:
                high = middle
        return low


class Store:
    """All objects by kind, namespace and name; one resource version for the whole cluster."""

    def __init__(self) -> None:
        self.version = 1
        self.oldest = 0
        """Watches from before this version are told 410."""
        self.objects: dict[Kind, dict[Key, Record]] = {}
        self.by_uid: dict[str, Ref] = {}
        self.feeds: dict[Kind, Feed] = {}
        self.listeners: list[Any] = []
        """Called with the Ref and the Change of everything that happens."""

    def feed(self, kind: Kind) -> Feed:
        return self.feeds.setdefault(kind, Feed())

    def get(self, ref: Ref) -> Record | None:
        return self.objects.get(ref.kind, {}).get(Key(ref.namespace, ref.name))

    def list(self, kind: Kind, namespace: str = "") -> list[Record]:
        """The objects of a kind, in the order the API server lists them."""
        having = self.objects.get(kind, {})
        return [having[key] for key in sorted(having) if not namespace or key.namespace == namespace]

    def as_of(self, version: int, kind: Kind, namespace: str = "") -> Sequence[Record]:
        """The same, as it was at an earlier version."""
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

    def put(self, ref: Ref, obj: Manifest, managers: Managers) -> Record:
        """Keep a new state of an object; its resource version is set here."""
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        record, before = Record(obj, managers), self.get(ref)
        self.objects.setdefault(ref.kind, {})[Key(ref.namespace, ref.name)] = record
        self.by_uid[obj["metadata"]["uid"]] = ref
        self._tell(ref, Change(self.version, "MODIFIED" if before else "ADDED", record, before))
        return record

    def remove(self, ref: Ref) -> Record:
        """Forget an object. Its last state carries the version of its end, as watches show it."""
        before = self.objects[ref.kind].pop(Key(ref.namespace, ref.name))
        del self.by_uid[before.obj["metadata"]["uid"]]
        self.version += 1
        last = orjson.loads(before.wire)
        last["metadata"]["resourceVersion"] = str(self.version)
        record = Record(last, before.managers)
        self._tell(ref, Change(self.version, "DELETED", record, before))
        return record

    def compact(self) -> None:
        """Forget the past: every watch and every page from before now is told 410."""
        self.oldest = self.version

    def _tell(self, ref: Ref, change: Change) -> None:
        self.feed(ref.kind).add(change)
        for listener in self.listeners:
            listener(ref, change)


def _key(record: Record) -> Key:
    metadata = record.obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])
