"""The cached objects of one kind, and the indices to find them.

The cache is monotone: an object is never replaced by an older version of itself, wherever that comes from (a watch, a
list, the answer to a write of the operator). A deleted object returns only in a newer version than it was deleted in:
objects leave a watch with a label selector, and may return to it.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import structlog

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live, Meta
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.decoding import CachedObject, Decoded
from frappe_operator.runtime.drift import NOTHING

log = structlog.get_logger(__name__)

Index = Callable[[Live], Iterable[str]]
"""The values under which an object is found. They may depend on what users set, never on the status."""

MOST_TOMBSTONES = 10_000
"""How many deleted UIDs are remembered: an old answer about one of them may still be under way for a while."""
FOR_EVER = sys.maxsize
"""The tombstone version of an object that is deleted, and has not merely left the selection of the watch."""


class Change(NamedTuple):
    """A real difference between two states of an object. `old` is None when it is new, `new` when it is deleted."""

    kind: Kind
    old: Live | None
    new: Live | None


class Store:
    """The cached objects of one kind."""

    def __init__(
        self,
        kind: Kind,
        indices: Mapping[str, Index] | None = None,
        sibling: Callable[[str], Live | None] | None = None,
    ) -> None:
        """`sibling`: a cached object of any kind whose controller has a UID. Equal metadata is shared with it; None:
        with objects of this kind only."""
        self.kind = kind
        self._sibling = sibling or self.first_owned
        self.installed = True
        """Whether the API server has the kind, as far as the watches have found out."""
        self._items: dict[str, dict[str, CachedObject]] = {}
        """By namespace and name. An object keeps its CachedObject for as long as it lives."""
        self._owned: dict[str, tuple[CachedObject, ...]] = {}
        self._indices: dict[str, Index] = dict(indices or {})
        self._indexed: dict[str, dict[str, CachedObject | dict[str, CachedObject]]] = {n: {} for n in self._indices}
        """By index and value, the object; several by their UIDs. Most values have one, and a dict takes 230 bytes."""
        self._tombstones: dict[str, int] = {}
        """By UID, the version in which an object was deleted."""

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def get(self, key: Key) -> CachedObject | None:
        return self._items.get(key.namespace, {}).get(key.name)

    def all(self) -> list[Live]:
        return [item.live for items in self._items.values() for item in items.values()]

    def owned(self, uid: str) -> list[Live]:
        """The cached objects whose controller has this UID."""
        return [item.live for item in self._owned.get(uid, ())]

    def first_owned(self, uid: str) -> Live | None:
        """One of the cached objects whose controller has this UID; None when there is none."""
        items = self._owned.get(uid)
        return items[0].live if items else None

    def select(self, index: str, value: str) -> list[Live]:
        """The cached objects that an index has under a value. Raises KeyError for an index that was not declared."""
        found = self._indexed[index].get(value)
        if found is None:
            return []
        return [item.live for item in found.values()] if isinstance(found, dict) else [found.live]

    def put(self, decoded: Decoded) -> Change | None:
        """Caches an object. None when nothing changes: it is older, deleted already, or not different."""
        item, applied = decoded
        meta = item.live.metadata
        key = Key(meta.namespace, meta.name)
        if self._tombstones and item.version <= self._tombstones.get(meta.uid, -1):
            return None
        cached = self.get(key)
        if cached is None:
            self._insert(key, item, applied)
            return Change(self.kind, None, item.live)
        if item.version <= cached.version:
            return None
        before = cached.live
        if before.metadata.uid != meta.uid:
            self.delete(key, before.metadata.uid, FOR_EVER)
            self._insert(key, item, applied)
        elif item.digest != cached.digest:
            ours = applied() if applied else NOTHING
            # A change by others that leaves the operator's own fields as they were applied concerns no controller.
            by_others = NOTHING != ours == cached.applied and _same(before, item.live)
            self._unindex(cached)
            cached.live, cached.digest, cached.applied = item.live, item.digest, ours
            self._index(cached)
            if by_others:
                return None
        elif _same(before, item.live):
            before.metadata.resource_version = meta.resource_version
            return None
        else:
            # Nothing that users set has changed: neither the indices nor the owned fields.
            cached.live = item.live
        return Change(self.kind, before, item.live)

    def delete(self, key: Key, uid: str, version: int) -> Change | None:
        """Removes the object with this UID, which was deleted in `version`. None when it was not cached."""
        self._tombstones[uid] = version
        if len(self._tombstones) > MOST_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]
        item = self.get(key)
        if item is None or item.live.metadata.uid != uid:
            return None
        items = self._items[key.namespace]
        del items[key.name]
        if not items:
            del self._items[key.namespace]
        self._unindex(item)
        return Change(self.kind, item.live, None)

    def delete_unlisted(self, listed: set[str], namespace: str, version: int) -> list[Change]:
        """Removes what a complete list as of `version` did not contain, unless it is cached in a newer version.

        `listed`: the UIDs in the list. `namespace`: the one that was listed, empty for all.
        """
        stores = [self._items.get(namespace, {})] if namespace else self._items.values()
        gone = [
            item.live.metadata
            for items in stores
            for item in items.values()
            if item.live.metadata.uid not in listed and item.version <= version
        ]
        return [change for meta in gone if (change := self.delete(meta.key, meta.uid, version))]

    def _insert(self, key: Key, item: CachedObject, applied: Callable[[], int] | None) -> None:
        self._items.setdefault(key.namespace, {})[key.name] = item
        if applied is not None:
            item.applied = applied()
        self._index(item)

    def _index(self, item: CachedObject) -> None:
        live = item.live
        owner = live.metadata.controller
        if owner is not None:
            if (sibling := self._sibling(owner.uid)) is not None:
                _share(live.metadata, sibling.metadata)
            self._owned[owner.uid] = (*self._owned.get(owner.uid, ()), item)
        for name, index in self._indices.items():
            for value in self._values(name, index, live):
                _enter(self._indexed[name], value, item)

    def _unindex(self, item: CachedObject) -> None:
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
                _leave(self._indexed[name], value, item)

    def _values(self, name: str, index: Index, live: Live) -> list[str]:
        try:
            return list(index(live))
        except Exception:
            # One object that an index cannot read must not keep all others out of the cache.
            log.exception("index failed", index=name, kind=self.kind.kind, object=str(live.metadata.key))
            return []


def _enter(where: dict[str, CachedObject | dict[str, CachedObject]], value: str, item: CachedObject) -> None:
    found = where.get(value)
    if isinstance(found, dict):
        found[item.live.metadata.uid] = item
    elif found is None or found is item:
        where[value] = item
    else:
        where[value] = {each.live.metadata.uid: each for each in (found, item)}


def _leave(where: dict[str, CachedObject | dict[str, CachedObject]], value: str, item: CachedObject) -> None:
    found = where.get(value)
    if isinstance(found, dict):
        found.pop(item.live.metadata.uid, None)
    if found is item or found == {}:
        del where[value]


def _share(meta: Meta, other: Meta) -> None:
    """Gives an object the owners and labels of another one, if they are equal: those of the children of one owner are,
    and would take up to 230 bytes of each."""
    if meta.owner_references == other.owner_references:
        meta.owner_references = other.owner_references
    if meta.labels == other.labels:
        meta.labels = other.labels


def _same(old: Live, new: Live) -> bool:
    """Whether two versions of an object differ in nothing that is cached but the resourceVersion."""
    version = new.metadata.resource_version
    new.metadata.resource_version = old.metadata.resource_version
    same = old == new
    new.metadata.resource_version = version
    return same
