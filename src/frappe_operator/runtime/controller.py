"""What a controller is: a kind, what to do about one object of it, and whose changes make it look again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from frappe_operator.kube.kinds import Key, Kind
from frappe_operator.kube.live import Custom, Live
from frappe_operator.runtime.cache.store import Index

if TYPE_CHECKING:
    from frappe_operator.runtime.cluster import Cluster

Keys = Callable[["Cluster", Live], Iterable[Key]]
"""The objects that have to be looked at when this one changes."""

News = Callable[[Live], object]
"""What of an object counts: a change that leaves it equal is no news."""

Reconcile = Callable[["Cluster", Key], Awaitable[float | None]]
"""Makes the world what one object says. Returns the seconds until it should be looked at again; None: when something
happens. Raises Blocked or Waiting when it cannot be said what the world should be; anything else is tried again."""


Background = Callable[["Cluster", Callable[[], float]], Coroutine[None, None, None]]
"""A task that ends by being cancelled; its second argument gives a random number from 0 to 1."""


class Watch(NamedTuple):
    """A kind that a controller sees."""

    kind: Kind
    projection: type[Live]
    """What is kept of each object."""
    keys: Keys
    labels: str = ""
    """A label selector: what it leaves out is not seen."""
    fields: str = ""
    """A field selector, likewise."""
    news: News | None = None
    """What of the object `keys` go by; None: all that is kept."""
    metadata_only: bool = False
    """Nothing but metadata is fetched, which is right for Secrets; bodies are read when they are needed."""
    indices: Mapping[str, Index] = {}
    """Names for `Cluster.select`, each with the values under which an object is found."""
    optional: bool = False
    """The cluster may lack the kind, or not let us see it: then it counts as one without objects."""


class Controller(NamedTuple):
    """Keeps the objects of one kind true."""

    kind: Kind
    reconcile: Reconcile
    watches: Sequence[Watch] = ()
    """Whatever else it reads from the cache. Its own kind needs no entry, unless for indices."""
    background: Background | None = None
    """What runs beside the reconciles, for as long as the process leads."""


def owned_by(kind: Kind) -> Keys:
    """A child's change is its controller's business."""

    def keys(cluster: Cluster, live: Live) -> Iterable[Key]:
        owner = live.metadata.controller
        if owner is not None and owner.kind == kind.kind:
            yield Key(live.metadata.namespace, owner.name)

    return keys


def wanted(live: Live) -> object:
    """What is asked of an object, and that it is there: news for whoever does not go by its status."""
    meta = live.metadata
    return meta.uid, meta.generation, meta.deletion_timestamp


def itself(cluster: Cluster, live: Live) -> Iterable[Key]:
    """The object that changed."""
    yield live.metadata.key


class Reader(NamedTuple):
    """Whom to tell of a kind's changes."""

    kind: Kind
    """The controller's."""
    keys: Keys
    news: News | None


@dataclass
class Watched:
    """One kind, as all controllers together need it: they share what is seen of it."""

    kind: Kind
    projection: type[Live]
    labels: str
    fields: str
    metadata_only: bool
    optional: bool
    indices: dict[str, Index] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)


def watched(controllers: Sequence[Controller]) -> dict[Kind, Watched]:
    """Every kind that is watched; the controllers' own come first.

    Raises ValueError when two watches of a kind do not agree on what is seen.
    """
    result: dict[Kind, Watched] = {}
    for controller in controllers:
        _join(result, controller.kind, Watch(controller.kind, Custom, itself))
    for controller in controllers:
        for watch in controller.watches:
            _join(result, controller.kind, watch)
    return result


def _join(result: dict[Kind, Watched], reader: Kind, watch: Watch) -> None:
    wanted = (watch.projection, watch.labels, watch.fields, watch.metadata_only, watch.optional)
    joined = result.setdefault(watch.kind, Watched(watch.kind, *wanted))
    if wanted != (joined.projection, joined.labels, joined.fields, joined.metadata_only, joined.optional):
        raise ValueError(f"two watches of {watch.kind.kind} see different things: {wanted} and {joined}")
    for name, index in watch.indices.items():
        if joined.indices.setdefault(name, index) is not index:
            raise ValueError(f"two indices of {watch.kind.kind} are called {name!r}")
    joined.readers.append(Reader(reader, watch.keys, watch.news))
