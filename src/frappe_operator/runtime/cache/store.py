"""All objects of one kind that are known to exist, and the ways to find them.

Monotone: of one object, nothing older is ever taken for what is known already, wherever it comes from (a watch, a
list, the answer to our own write), and one that is gone only comes back newer than it went: objects leave a watch
with a label selector, and return to it.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import structlog

from frappe_operator.kube.kinds import Key, Kind
from frappe_operator.kube.live import Live
from frappe_operator.runtime.cache.decoding import Decoded, Item
from frappe_operator.runtime.drift import NOTHING

log = structlog.get_logger(__name__)

Index = Callable[[Live], Iterable[str]]
"""Under which values an object is to be found: by what people set, never by its status."""

MOST_TOMBSTONES = 10_000
"""UIDs that are gone and remembered: only as long as an old answer may still be under way."""
FOR_EVER = sys.maxsize
"""Version of an object that was deleted, not merely let go."""


class Change(NamedTuple):
    """A real difference: before and after. None: it did not exist, it does not exist any more."""

    kind: Kind
    old: Live | None
    new: Live | None


class Store:
    """The objects of one kind."""

    def __init__(self, kind: Kind, indices: Mapping[str, Index] | None = None) -> None:
        self.kind = kind
        self.installed = True
        """Whether the API server has the kind, as far as the watches have found out."""
        self._items: dict[str, dict[str, Item]] = {}
        """By namespace and name. An Item stays the same one for as long as its object lives."""
        self._owned: dict[str, tuple[Item, ...]] = {}
        self._indices: dict[str, Index] = dict(indices or {})
        self._indexed: dict[str, dict[str, dict[str, Item]]] = {name: {} for name in self._indices}
        self._buried: dict[str, int] = {}
        """By UID, the version with which it went."""

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def get(self, key: Key) -> Item | None:
        return self._items.get(key.namespace, {}).get(key.name)

    def all(self) -> list[Live]:
        return [item.live for items in self._items.values() for item in items.values()]

    def owned(self, uid: str) -> list[Live]:
        """The objects whose controller has this UID."""
        return [item.live for item in self._owned.get(uid, ())]

    def select(self, index: str, value: str) -> list[Live]:
        """The objects that an index has under a value. Raises KeyError for an index that was not declared."""
        return [item.live for item in self._indexed[index].get(value, {}).values()]

    def put(self, decoded: Decoded) -> Change | None:
        """Takes an object in. None when that changes nothing: older, dead, or no different."""
        item, applied = decoded
        meta = item.live.metadata
        key = Key(meta.namespace, meta.name)
        if self._buried and item.version <= self._buried.get(meta.uid, -1):
            return None
        known = self.get(key)
        if known is None:
            self._insert(key, item, applied)
            return Change(self.kind, None, item.live)
        if item.version <= known.version:
            return None
        before = known.live
        if before.metadata.uid != meta.uid:
            self.bury(key, before.metadata.uid, FOR_EVER)
            self._insert(key, item, applied)
        elif item.digest != known.digest:
            ours = applied() if applied else NOTHING
            # What others write down for themselves, of what is seen to be as we applied it, is news for nobody.
            theirs = NOTHING != ours == known.applied and _same(before, item.live)
            self._unindex(known)
            known.live, known.digest, known.applied = item.live, item.digest, ours
            self._index(known)
            if theirs:
                return None
        elif _same(before, item.live):
            before.metadata.resource_version = meta.resource_version
            return None
        else:
            # Nothing that anybody sets has changed: not where it is to be found, nor what of it is ours.
            known.live = item.live
        return Change(self.kind, before, item.live)

    def bury(self, key: Key, uid: str, version: int) -> Change | None:
        """The object with this UID is gone, as of `version`. None when it was not known."""
        self._buried[uid] = version
        if len(self._buried) > MOST_TOMBSTONES:
            del self._buried[next(iter(self._buried))]
        item = self.get(key)
        if item is None or item.live.metadata.uid != uid:
            return None
        _drop(self._items, key.namespace, key.name)
        self._unindex(item)
        return Change(self.kind, item.live, None)

    def keep_only(self, seen: set[str], namespace: str, version: int) -> list[Change]:
        """After a whole list, as of `version`: what it did not have is gone, unless it is known to be newer.

        `seen`: the UIDs in the list. `namespace`: the one that was listed, empty for all.
        """
        listed = [self._items.get(namespace, {})] if namespace else self._items.values()
        gone = [
            item.live.metadata
            for items in listed
            for item in items.values()
            if item.live.metadata.uid not in seen and item.version <= version
        ]
        return [change for meta in gone if (change := self.bury(meta.key, meta.uid, version))]

    def _insert(self, key: Key, item: Item, applied: Callable[[], int] | None) -> None:
        self._items.setdefault(key.namespace, {})[key.name] = item
        if applied is not None:
            item.applied = applied()
        self._index(item)

    def _index(self, item: Item) -> None:
        live = item.live
        owner = live.metadata.controller
        if owner is not None:
            self._owned[owner.uid] = (*self._owned.get(owner.uid, ()), item)
        for name, index in self._indices.items():
            for value in self._values(name, index, live):
                self._indexed[name].setdefault(value, {})[live.metadata.uid] = item

    def _unindex(self, item: Item) -> None:
        live = item.live
        owner = live.metadata.controller
        if owner is not None:
            left = tuple([each for each in self._owned[owner.uid] if each is not item])
            if left:
                self._owned[owner.uid] = left
            else:
                del self._owned[owner.uid]
        for name, index in self._indices.items():
            for value in self._values(name, index, live):
                _drop(self._indexed[name], value, live.metadata.uid)

    def _values(self, name: str, index: Index, live: Live) -> list[str]:
        try:
            return list(index(live))
        except Exception:
            # One strange object must not stop the view of all others.
            log.exception("index failed", index=name, kind=self.kind.kind, object=str(live.metadata.key))
            return []


def _drop(where: dict[str, dict[str, Item]], value: str, key: str) -> None:
    items = where.get(value)
    if items is not None:
        items.pop(key, None)
        if not items:
            del where[value]


def _same(old: Live, new: Live) -> bool:
    """Whether two versions of an object differ in nothing that is kept, but the resourceVersion."""
    version = new.metadata.resource_version
    new.metadata.resource_version = old.metadata.resource_version
    same = old == new
    new.metadata.resource_version = version
    return same
