"""Everything that exists in the synthetic cluster: copies of templates by number, and what was written since."""

import itertools
import math
import uuid
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from benchmark.synthetic_server import SITES_PER_BENCH
from benchmark.templates import Place, Template
from frappe_operator.kube.kinds import ALL, BENCH, DEPLOYMENT, POD, SITE, STORAGE_CLASS, Kind, Manifest

FIRST_VERSION = 100_000_000
"""Of everything that is written later; copies have smaller ones."""
KEPT_EVENTS = 20_000


class Size(NamedTuple):
    """How much there is."""

    benches: tuple[int, ...]
    """How many sites each bench has."""
    tenants: tuple[int, ...] = ()
    """The namespace of each bench, by number; those beyond have one of their own each, of the bench's number."""
    deployments: int = 0
    """So many Deployments, whatever the number of sites; 0: as many as sites and benches have."""
    reference: bool = False
    """Those are of 7.4 kB each."""
    bare: bool = False
    """Sites without children."""


class Event(NamedTuple):
    """One event of a watch, as it goes over the wire."""

    version: int
    line: bytes
    partial: bytes


class Copy(NamedTuple):
    """An object that was not written yet."""

    template: Template
    place: Place
    version: int

    @property
    def whole(self) -> bytes:
        return self.template.render(self.place, self.version)

    @property
    def partial(self) -> bytes:
        return self.template.render_partial(self.place, self.version)


class Written(NamedTuple):
    """One that was."""

    obj: Manifest

    @property
    def whole(self) -> bytes:
        return orjson.dumps(self.obj)

    @property
    def partial(self) -> bytes:
        metadata = self.obj["metadata"]
        return orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})


class Feed:
    """What has happened to the objects of one kind, for as long as it is remembered."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self.total = 0
        self.forgotten = 0
        """The version of the newest event that is not remembered."""

    def add(self, *events: Event) -> None:
        for event in events:
            if len(self.events) == KEPT_EVENTS:
                self.forgotten = self.events[0].version
            self.events.append(event)
        self.total += len(events)

    def after(self, number: int, most: int) -> list[Event]:
        """So many events at most, from the `number`th on."""
        first = number - (self.total - len(self.events))
        assert first >= 0, "a watch is too slow: what it has not seen is forgotten"
        return list(itertools.islice(self.events, first, first + most))

    def place_of(self, version: int) -> int | None:
        """The number of the first event after a version, None when that is not known any more."""
        if version < self.forgotten:
            return None
        return self.total - sum(event.version > version for event in self.events)


class Population:
    """The objects, by kind and name."""

    def __init__(self, templates: list[Template], size: Size) -> None:
        self.size = size
        self.version = FIRST_VERSION
        self.objects: dict[Kind, dict[tuple[str, str], Copy | Written]] = {kind: {} for kind in ALL.values()}
        self.feeds = {kind: Feed() for kind in ALL.values()}
        self._templates = templates
        self._fill()

    def _fill(self) -> None:
        versions = itertools.count(1000)
        for kind, found in self.objects.items():
            for copy in self._copies(kind, versions):
                found[copy.place.namespace if kind.namespaced else "", copy.template.name_of(copy.place)] = copy

    def _copies(self, kind: Kind, versions: Iterator[int]) -> Iterator[Copy]:
        size = self.size
        mine = [each for each in self._templates if each.kind == kind]
        per_bench = [each for each in mine if not each.per_site]
        per_site = [] if size.bare and kind != SITE else [each for each in mine if each.per_site]
        benches = size.benches[:1] if kind == STORAGE_CLASS else size.benches
        if kind == DEPLOYMENT and size.deployments:
            # Others were measured with Deployments of 7.4 kB: the proxy's is of that size.
            per_site = [each.spread() for each in per_bench] if size.reference else [e for e in mine if e.per_site]
            per_bench, benches = [], (SITES_PER_BENCH,) * math.ceil(size.deployments / len(per_site) / SITES_PER_BENCH)
        first = 0
        for bench, count in enumerate(benches):
            sites = range(first, first + count)
            tenant = size.tenants[bench] if bench < len(size.tenants) else bench
            yield from (Copy(each, Place(tenant, bench, first, sites), next(versions)) for each in per_bench)
            for site in sites:
                yield from (Copy(each, Place(tenant, bench, site, sites), next(versions)) for each in per_site)
            first += count

    def count(self) -> dict[str, int]:
        """Objects by kind."""
        return {kind.kind: len(found) for kind, found in self.objects.items() if found}

    def children(self) -> int:
        """Objects that the operator has made. Pods of its Jobs are seen beside them."""
        own = (SITE, BENCH, STORAGE_CLASS, POD)
        return sum(len(found) for kind, found in self.objects.items() if kind not in own)

    # --- writing

    def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        found = self.objects[kind].get((namespace, name))
        if found is None:
            return None
        obj: Manifest = orjson.loads(found.whole)
        return obj

    def write(self, kind: Kind, obj: Manifest, *, spec_changed: bool = True) -> Written:
        """Keeps a new state of an object and tells those who watch."""
        metadata = obj["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        known = key in self.objects[kind]
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", "2026-01-02T00:00:00Z")
        metadata["generation"] = metadata.get("generation", 0) + spec_changed
        written = Written(obj)
        self.objects[kind][key] = written
        self.tell(kind, "MODIFIED" if known else "ADDED", written)
        return written

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Forgets an object and tells those who watch."""
        obj = self.read(kind, namespace, name)
        if obj is not None:
            del self.objects[kind][namespace, name]
            self.version += 1
            obj["metadata"]["resourceVersion"] = str(self.version)
            self.tell(kind, "DELETED", Written(obj))

    def tell(self, kind: Kind, what: str, now: Copy | Written) -> None:
        """One event, of the version that the object has."""
        version = now.version if isinstance(now, Copy) else int(now.obj["metadata"]["resourceVersion"])
        partial = now.partial if isinstance(now, Written) else b""
        self.feeds[kind].add(Event(version, _line(what, now.whole), _line(what, partial) if partial else b""))


def _line(what: str, obj: bytes) -> bytes:
    return b'{"type":"' + what.encode() + b'","object":' + obj + b"}\n"


def merged(live: object, sent: object) -> object:
    """What is there after maps were merged; lists are replaced. None removes a field."""
    if not isinstance(sent, dict) or not isinstance(live, dict):
        return sent
    result = dict(live)
    for name, value in sent.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name, {} if isinstance(value, dict) else None), value)
    return result
