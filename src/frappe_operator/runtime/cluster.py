"""The cluster as a reconcile sees it: reads from the cache, reads from the API server, and writes.

The answer to every write goes into the cache, so that no reconcile decides on a state from before its own last write.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

import msgspec
import structlog
from msgspec import Struct

from frappe_operator.kube.kinds import Kind, KindOf, Ref, ref_of
from frappe_operator.kube.live import OPERATOR_NAME, Live
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.runtime.cache.bodies import Bodies
from frappe_operator.runtime.cache.cache import Cache
from frappe_operator.runtime.cache.decoding import CachedObject, DecodeError, Decoder
from frappe_operator.runtime.cache.store import FOR_EVER, Change
from frappe_operator.runtime.client.client import Client, decoded, selectors
from frappe_operator.runtime.client.errors import NotFound
from frappe_operator.runtime.client.transport import TransportError

log = structlog.get_logger(__name__)

T = TypeVar("T")
L = TypeVar("L", bound=Live)

Writer = tuple[Kind, Key]
"""The object whose reconcile writes."""


class Changed(Protocol):
    """Receives every real change of a cached object, with its writer when it is the answer to a write."""

    def __call__(self, change: Change, writer: Writer | None = None) -> None: ...


class _Answer(Struct):
    kind: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)
_METADATA = Decoder(Live, metadata_only=True)


class Cluster:
    """One per process. Kinds that are not watched can be read and written, but are not cached."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        *,
        changed: Changed,
        requeue: Callable[[Kind, Key, float], None],
        clock: Callable[[], float],
        instance: str = "",
    ) -> None:
        """`clock`: seconds since 1970. `instance`: the name of this process in Events."""
        self.client = client
        self.cache = cache
        self.clock = clock
        self.instance = instance or "frappe-operator"
        self._requeue = requeue
        self.leading_since = ""
        """When this process began to reconcile, as Kubernetes writes times; empty while it stands by."""
        self._changed = changed
        self._bodies = Bodies()
        self._states: dict[type, Any] = {}

    def now(self) -> str:
        """The time as Kubernetes writes it, to the second."""
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def state(self, kind: type[T]) -> T:
        """The one instance of a class in which a step of the reconcile keeps what it remembers between reconciles, made
        when it is first asked for. It is lost with the process, so it may only save requests."""
        if kind not in self._states:
            self._states[kind] = kind()
        found: T = self._states[kind]
        return found

    def requeue(self, kind: Kind, key: Key, seconds: float = 0.0) -> None:
        """Has an object reconciled again, after so many seconds or as soon as possible."""
        self._requeue(kind, key, seconds)

    # Reads from the cache

    def get(self, kind: KindOf[L], namespace: str, name: str) -> L | None:
        """The cached object, None when there is none. Raises KeyError for a kind that is not watched."""
        item = self.cache.stores[kind].get(Key(namespace, name))
        return cast(L, item.live) if item else None

    def cached(self, ref: Ref) -> CachedObject | None:
        """The cached object with its digests; None also for a kind that is not watched."""
        store = self.cache.stores.get(ref.kind)
        return None if store is None else store.get(Key(ref.namespace, ref.name))

    def all(self, kind: KindOf[L]) -> list[L]:
        """All cached objects of a kind."""
        return cast(list[L], self.cache.stores[kind].all())

    def select(self, kind: KindOf[L], index: str, value: str) -> list[L]:
        """The cached objects that an index of the kind's watch has under a value."""
        return cast(list[L], self.cache.stores[kind].select(index, value))

    def owned(self, uid: str) -> list[tuple[Kind, Live]]:
        """Every cached object whose controller has this UID."""
        return [(kind, live) for kind, store in self.cache.stores.items() for live in store.owned(uid)]

    def installed(self, kind: Kind) -> bool:
        """Whether the cluster has a kind, as far as its watch has found out. When that changes, every object of the
        controllers that watch the kind is reconciled. Raises KeyError for a kind that is not watched."""
        return self.cache.stores[kind].installed

    def not_installed(self, kind: Kind) -> str:
        """A sentence that says that a watched kind is not installed and what to do; empty when it is installed."""
        return self.cache.not_installed(kind)

    # Reads from the API server

    async def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The whole object as it is now, None when there is none."""
        try:
            body = await self.client.get(kind, namespace, name)
        except NotFound:
            return None
        self.put_answer(kind, body)
        return decoded(body)

    async def metadata(self, kind: Kind, namespace: str, name: str) -> Live | None:
        """The object's metadata as it is now, None when there is none."""
        try:
            body = await self.client.get(kind, namespace, name, metadata_only=True)
        except NotFound:
            return None
        return _live(body)

    async def body(
        self, kind: Kind, namespace: str, name: str, trim: Callable[[bytes], bytes] | None = None
    ) -> Manifest | None:
        """The whole of a cached object: requested once, then remembered until the object changes. None when no such
        object is cached.

        `trim`: reduces the body to what is remembered and returned; the same for every caller.
        """
        live = self.get(kind, namespace, name)
        if live is None:
            return None

        async def request() -> tuple[str, int, bytes]:
            body = await self.client.get(kind, namespace, name)
            self.put_answer(kind, body)
            found = _live(body).metadata
            return found.uid, found.resource_version, trim(body) if trim else body

        try:
            return decoded(await self._bodies.get(live.metadata.uid, live.metadata.resource_version, request))
        except NotFound:
            return None

    async def list(self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "") -> list[Manifest]:
        """All objects as they are now. `labels` and `fields`: selectors."""
        return [
            decoded(bytes(raw))
            async for page in self.client.pages(kind, namespace, selectors(labels, fields))
            for raw in page.items
        ]

    # Writes

    async def create(self, manifest: Manifest, writer: Writer | None = None) -> Live:
        """Creates an object. `writer` is not requeued for it. Raises AlreadyExists."""
        return self._written(ref_of(manifest).kind, await self.client.create(manifest), writer)

    async def apply(
        self,
        manifest: Manifest,
        writer: Writer | None = None,
        *,
        manager: str = OPERATOR_NAME,
        force: bool = True,
    ) -> Live:
        """Server-side apply. `writer` is not requeued for it. Raises Conflict when the manifest has a `metadata.uid`
        that is not the object's, or without `force` when another manager owns a field that would change."""
        body = await self.client.apply(manifest, manager=manager, force=force)
        return self._written(ref_of(manifest).kind, body, writer)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
        writer: Writer | None = None,
    ) -> Live:
        """Sends a JSON merge patch. `writer` is not requeued for it."""
        return self._written(kind, await self.client.patch(kind, namespace, name, patch, subresource), writer)

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, version: str = "", propagation: str = "Background"
    ) -> None:
        """Deletes the object with this UID, and this resourceVersion if one is given. An object that does not exist any
        more is no error. Raises Conflict when the name belongs to another object."""
        try:
            body = await self.client.delete(kind, namespace, name, uid, version=version, propagation=propagation)
        except NotFound:
            return
        self._put_deletion(kind, Key(namespace, name), uid, body)

    def _written(self, kind: Kind, body: bytes, writer: Writer | None) -> Live:
        self.put_answer(kind, body, writer)
        return _live(body)

    def put_answer(self, kind: Kind, body: bytes, writer: Writer | None = None) -> None:
        """Puts an answer of the API server into the cache, if the kind's watch would deliver the object too."""
        if kind not in self.cache.stores:
            return
        try:
            decoded = self.cache.decoders[kind].object(body)
        except DecodeError as error:
            # The request has succeeded all the same; the watch delivers the object again.
            log.warning("answer cannot be decoded", kind=kind.kind, error=str(error))
            return
        if self.cache.selects(kind, decoded.item.live.metadata) and (change := self.cache.stores[kind].put(decoded)):
            self._changed(change, writer)

    def _put_deletion(self, kind: Kind, key: Key, uid: str, body: bytes) -> None:
        if kind not in self.cache.stores:
            return
        try:
            deleted = _ANSWER.decode(body).kind == "Status"
        except msgspec.MsgspecError:
            return
        if not deleted:
            # The object has finalizers: it stays until others have removed theirs.
            self.put_answer(kind, body)
        elif change := self.cache.stores[kind].delete(key, uid, FOR_EVER):
            self._changed(change)


def _live(body: bytes) -> Live:
    try:
        return _METADATA.object(body).item.live
    except DecodeError as error:
        raise TransportError(f"The answer is no object: {error}") from error
