"""What a controller declares: a kind, how one object of it is reconciled, and which changes trigger a reconcile."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

from frappe_operator.kube.children import ChildKind
from frappe_operator.kube.kinds import Kind, KindOf
from frappe_operator.kube.live import Custom, Live
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.cache import CachedKind
from frappe_operator.runtime.cache.store import Index
from frappe_operator.runtime.cluster import Cluster

L = TypeVar("L", bound=Live)

MapFunction = Callable[[Cluster, L], Iterable[Key]]
"""From an object that has changed to the objects that have to be reconciled."""

EventFilter = Callable[[L], object]
"""The part of an object that matters: a change that leaves this value equal triggers no reconcile."""

Reconcile = Callable[[Cluster, Key], Awaitable[float | None]]
"""Makes the cluster what one object specifies. Returns the seconds after which the object is requeued; None: the next
event triggers the next reconcile. Raises Undecided when the desired state cannot be decided; any other
exception is retried with backoff."""

Background = Callable[[Cluster, Callable[[], float]], Coroutine[None, None, None]]
"""A task that ends by being cancelled; its second argument gives a random number from 0 to 1."""


APPLY_CRDS = "apply the CustomResourceDefinitions of the operator"


class Watch(NamedTuple, Generic[L]):
    """A kind that a controller reads from the cache, and whose changes trigger its reconciles."""

    kind: KindOf[L]
    keys: MapFunction[L]
    labels: str = ""
    """A label selector: objects that it leaves out are not cached."""
    fields: str = ""
    """A field selector, likewise."""
    event_filter: EventFilter[L] | None = None
    """Which changes trigger a reconcile; None: every change of what is cached."""
    metadata_only: bool = False
    """Nothing but metadata is requested, which is right for Secrets; bodies are read when they are needed."""
    indices: Mapping[str, Callable[[L], Iterable[str]]] = {}
    """By name, the values under which `Cluster.select` finds an object."""
    optional: bool = False
    """Whether a kind that is not installed, or may not be read, counts as one without objects; otherwise the operator
    is not ready without it."""
    install: str = ""
    """What to do when the kind is not installed, for messages: `install mariadb-operator`."""

    @property
    def cached(self) -> CachedKind:
        """What this watch needs to be cached."""
        # A store holds objects of one kind: its indices are given nothing else.
        indices = cast(Mapping[str, Index], self.indices)
        return CachedKind(self.kind, self.labels, self.fields, self.metadata_only, self.optional, self.install, indices)


def watch_children(
    children: Iterable[ChildKind],
    owner_of: MapFunction[Any],
    *,
    other_owners: Mapping[Kind, MapFunction[Any]] | None = None,
    indices: Mapping[Kind, Mapping[str, Callable[[Any], Iterable[str]]]] | None = None,
) -> list[Watch[Any]]:
    """The watches of all child kinds. `owner_of`: from a child to its owner. `other_owners`: for some kinds, a map
    function that stands in its place. `indices`: by kind."""
    return [
        Watch(
            each.kind,
            (other_owners or {}).get(each.kind, owner_of),
            labels=each.labels,
            metadata_only=each.metadata_only,
            indices=(indices or {}).get(each.kind, {}),
            optional=bool(each.install),
            install=each.install,
        )
        for each in children
    ]


class Controller(NamedTuple):
    """Reconciles the objects of one kind."""

    kind: KindOf[Custom]
    reconcile: Reconcile
    watches: Sequence[Watch[Any]] = ()
    """The other kinds that it reads from the cache. Its own kind needs an entry only for indices, or for other objects
    of the kind that a change concerns."""
    verbs: Mapping[Kind, str] = {}
    """What it does with kinds that are no children, beside watching them: a source of the operator's RBAC."""
    background: Background | None = None
    """A task that runs beside the reconciles for as long as the process leads."""

    @property
    def all_watches(self) -> Sequence[Watch[Any]]:
        """The watches, with the one of its own kind."""
        return (Watch(self.kind, itself, install=APPLY_CRDS), *self.watches)


def owned_by(kind: Kind) -> MapFunction[Live]:
    """The map function from a child to its controller, if that is of this kind."""

    def keys(cluster: Cluster, live: Live) -> Iterable[Key]:
        owner = live.metadata.controller
        if owner is not None and owner.kind == kind.kind:
            yield Key(live.metadata.namespace, owner.name)

    return keys


def itself(cluster: Cluster, live: Live) -> Iterable[Key]:
    """The map function from an object to itself."""
    yield live.metadata.key


def generation_changes(live: Live) -> object:
    """The event filter for creation, deletion and changes of the spec: changes of the status are left out."""
    meta = live.metadata
    return meta.uid, meta.generation, meta.deletion_timestamp


def cached_kinds(controllers: Sequence[Controller]) -> list[CachedKind]:
    """Every kind that is cached, shared by all controllers that watch it; the controllers' own kinds come first.

    Raises ValueError when two watches of a kind disagree about what is cached.
    """
    result: dict[Kind, CachedKind] = {}
    watches = [controller.all_watches[0] for controller in controllers]
    watches += [watch for controller in controllers for watch in controller.watches]
    for watch in watches:
        cached = watch.cached
        first = result.setdefault(watch.kind, cached)
        if first._replace(indices={}, install="") != cached._replace(indices={}, install=""):
            raise ValueError(f"two watches of {watch.kind.kind} cache different things: {first} and {cached}")
        for name, index in cached.indices.items():
            if first.indices.get(name, index) is not index:
                raise ValueError(f"two indices of {watch.kind.kind} are called {name!r}")
        install = first.install or cached.install
        result[watch.kind] = first._replace(install=install, indices={**first.indices, **cached.indices})
    return list(result.values())
