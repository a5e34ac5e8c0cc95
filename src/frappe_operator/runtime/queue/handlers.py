"""From a change in the cache to the keys that are enqueued: map functions, event filters and priorities."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import structlog

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.store import Change
from frappe_operator.runtime.cluster import Cluster, Writer
from frappe_operator.runtime.controller import Controller, EventFilter, MapFunction
from frappe_operator.runtime.queue.queue import Priority

log = structlog.get_logger(__name__)

Enqueue = Callable[[Kind, Key, Priority], None]


class Handler(NamedTuple):
    """How one controller reacts to the changes of one kind."""

    controller: Kind
    """The kind whose objects are enqueued."""
    keys: MapFunction[Any]
    event_filter: EventFilter[Any] | None


class EventHandlers:
    """Enqueues what the changes of cached objects concern, once started."""

    def __init__(self, controllers: Sequence[Controller], enqueue: Enqueue) -> None:
        self._enqueue = enqueue
        self._cluster: Cluster | None = None
        self._handlers: dict[Kind, list[Handler]] = {}
        for controller in controllers:
            for watch in controller.all_watches:
                handler = Handler(controller.kind, watch.keys, watch.event_filter)
                self._handlers.setdefault(watch.kind, []).append(handler)

    def start(self, cluster: Cluster) -> None:
        """From now on changes are enqueued. Before, the caches fill, and nothing is reconciled. `cluster`: what map
        functions look things up in."""
        self._cluster = cluster

    def changed(self, change: Change, writer: Writer | None = None) -> None:
        """Enqueues every key that a change concerns. `writer`: the object whose reconcile wrote it; it is not enqueued
        for what it did itself. The answer to a write may show an edit by somebody else as well: the watch is behind
        and will find nothing new in it, so then the writer is enqueued too."""
        if self._cluster is None:
            return
        if writer is not None and not _is_self_triggered(change, writer):
            writer = None
        for handler in self._handlers.get(change.kind, ()):
            priority = _priority(change) if handler.controller == change.kind else Priority.EVENT
            for key in _keys(self._cluster, handler, change):
                if (handler.controller, key) != writer:
                    self._enqueue(handler.controller, key, priority)

    def resync(self, kind: Kind) -> None:
        """Enqueues every object of every controller that watches a kind: it has been installed or removed."""
        if self._cluster is None:
            return
        for controller in {handler.controller for handler in self._handlers.get(kind, ())}:
            for live in self._cluster.all(controller):
                self._enqueue(controller, live.metadata.key, Priority.RESYNC)


def _keys(cluster: Cluster, handler: Handler, change: Change) -> Iterable[Key]:
    sides = [live for live in (change.old, change.new) if live is not None]
    found: dict[Key, None] = {}
    try:
        matters = handler.event_filter
        if matters is not None and len(sides) == 2 and matters(sides[0]) == matters(sides[1]):
            return ()
        for live in sides:
            found.update(dict.fromkeys(handler.keys(cluster, live)))
    except Exception:
        # One object that a map function cannot read must not hold up the events of all others.
        log.exception("map function failed", kind=change.kind.kind, object=str(sides[0].metadata.key))
    return found


def _is_self_triggered(change: Change, writer: Writer) -> bool:
    """Whether a change is no more than what its writer wrote: a new child, or a status or finalizers."""
    if change.old is None or change.new is None:
        return change.new is not None and change.kind != writer[0]
    old, new = change.old.metadata, change.new.metadata
    fields = ("generation", "deletion_timestamp", "labels", "annotations")
    return all(getattr(old, name) == getattr(new, name) for name in fields)


def _priority(change: Change) -> Priority:
    """The priority of an object's own change: somebody waits for what they created, deleted or edited."""
    if change.old is None or change.new is None:
        return Priority.EDIT
    old, new = change.old.metadata, change.new.metadata
    edited = old.generation != new.generation or old.deletion_timestamp != new.deletion_timestamp
    return Priority.EDIT if edited else Priority.EVENT
