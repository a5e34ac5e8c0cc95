"""Decodes objects: from their JSON to what is cached of them."""

from collections.abc import Callable
from functools import lru_cache, partial
from sys import intern
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from frappe_operator.kube.live import OPERATOR_NAME, Live, Meta, OwnerReference, Pairs, pairs
from frappe_operator.kube.names import GROUP, RETAINED_LABEL
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.drift import NOTHING, SETTABLE, SIXTY_BITS, joined, owned_fingerprint

NOT_READ = frozenset(
    {
        *("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"),
        *("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"),
        *("volume.kubernetes.io/selected-node", "volume.kubernetes.io/storage-provisioner"),
        "volume.beta.kubernetes.io/storage-provisioner",
        *("app.kubernetes.io/name", f"{GROUP}/component", RETAINED_LABEL),
    }
)
"""Annotations and labels of other programs that thousands of objects have: they are not cached."""
_WORDS = msgspec.json.Decoder(dict[str, str] | None)
_OWNERS = msgspec.json.Decoder(tuple[OwnerReference, ...] | None)

CHANGES = ("ADDED", "MODIFIED", "DELETED")
"""The types of watch events that are about an object."""


ABSENT = Raw(b"")
"""The value of a field that an object does not have."""


class ManagedFields(Struct, rename="camel", gc=False):
    """The fields that one field manager has set."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    fields: Raw = field(name="fieldsV1", default=Raw(b"{}"))

    @property
    def ours(self) -> bool:
        """Whether these are the fields that the operator has applied."""
        return self.manager == OPERATOR_NAME and self.operation == "Apply" and not self.subresource


class Metadata(Struct, gc=False, rename="camel"):
    """An object's metadata as the API server sends it. What users may set stays JSON: most events change none of it."""

    name: str
    uid: str = ""
    namespace: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: Raw = ABSENT
    annotations: Raw = ABSENT
    owner_references: Raw = ABSENT
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFields, ...] = ()


class CachedObject(Struct, gc=False):
    """What is cached of one object."""

    live: Live
    digest: int
    """The digest of all that users may set: spec, data, labels, annotations, owners. The status is not in it."""
    applied: int = NOTHING
    """The fingerprint of the fields that the operator owns, as they are now; NOTHING: it owns none, or they are not
    cached."""
    verified: int = 0
    """The hash of this digest and of the manifest's fingerprint when the two were last found to agree."""

    @property
    def version(self) -> int:
        """The resourceVersion; higher is newer."""
        return self.live.metadata.resource_version


class DecodeError(Exception):
    """The bytes are not an object of the kind."""


class Decoded(NamedTuple):
    """One object, just decoded."""

    item: CachedObject
    applied: Callable[[], int] | None
    """Computes `item.applied`, which takes longer than all the rest; None: the operator owns none of its fields."""


class Decoder:
    """Decodes the objects of one kind to a projection, in one pass over their bytes."""

    def __init__(
        self,
        projection: type[Live],
        *,
        metadata_only: bool = False,
        cached: Callable[[Key], CachedObject | None] = lambda key: None,
    ) -> None:
        """`metadata_only`: nothing but metadata is in the bytes. `cached`: what the cache has of an object; most events
        change a status, and little else need be decoded again."""
        fields = {field.name: field.type for field in msgspec.structs.fields(projection) if field.name != "metadata"}
        # What users may set is read as bytes first: its digest is cached, and hardly anything else.
        self._bytes = [name for name, kind in fields.items() if kind is Raw]
        self._again = {
            name: msgspec.json.Decoder(kind) for name, kind in fields.items() if name in SETTABLE and kind is not Raw
        }
        self._whole = [name for name in fields if name not in (*self._bytes, *self._again)]
        self._projection = projection
        self._metadata_only = metadata_only
        self._cached = cached
        wire: Any = _wire(projection)
        self._objects: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wire)
        event: Any = msgspec.defstruct("Event", [("type", str), ("object", wire)], gc=False)
        self._events: msgspec.json.Decoder[Any] = msgspec.json.Decoder(event)

    def object(self, data: bytes | Raw) -> Decoded:
        """Decodes one object. Raises DecodeError."""
        try:
            return self._decoded(self._objects.decode(data))
        except (msgspec.MsgspecError, ValueError, UnicodeDecodeError) as error:
            raise DecodeError(str(error)) from error

    def event(self, line: bytes) -> tuple[str, Decoded] | None:
        """Decodes one event of a watch: its type, and the object. None when it is not about an object, or the object
        cannot be decoded."""
        try:
            event = self._events.decode(line)
            return (event.type, self._decoded(event.object)) if event.type in CHANGES else None
        except (msgspec.MsgspecError, ValueError, UnicodeDecodeError):
            return None

    def _decoded(self, wire: Any) -> Decoded:
        meta: Metadata = wire.metadata
        version = int(meta.resource_version)
        settable = joined((meta.owner_references, meta.labels, meta.annotations, wire.spec, wire.data))
        # Of an object whose spec is not requested, any new version may be a change.
        digest = hash((version, settable) if self._metadata_only else settable) & SIXTY_BITS
        cached = self._cached(Key(meta.namespace, meta.name))
        if cached is not None and cached.digest == digest and cached.live.metadata.uid == meta.uid:
            live = self._projection(_renewed(cached.live.metadata, meta, version), **self._fields(wire, cached.live))
            return Decoded(CachedObject(live, digest, cached.applied, cached.verified), None)
        item = CachedObject(self._projection(_slim(meta, version), **self._fields(wire, None)), digest)
        for managed in () if self._metadata_only else meta.managed_fields:
            if managed.ours:
                return Decoded(item, partial(owned_fingerprint, bytes(managed.fields), settable))
        return Decoded(item, None)

    def _fields(self, wire: Any, cached: Live | None) -> dict[str, Any]:
        """The fields of the projection. `cached`: the cached version, when it differs in nothing that users may set."""
        fields = {name: getattr(wire, name) for name in self._whole}
        for name in self._bytes:
            # A Raw is a window on the whole answer and would keep it in memory.
            fields[name] = getattr(wire, name).copy()
        for name, decoder in self._again.items():
            if cached is not None:
                fields[name] = getattr(cached, name)
            elif (part := getattr(wire, name)) is not ABSENT:
                fields[name] = decoder.decode(part)
        return fields


def _wire(projection: type[Live]) -> type[Struct]:
    """The struct that an object is decoded to: the projection, and what users may set as bytes."""
    fields: dict[str, Any] = {"metadata": ("metadata", Metadata)}
    for each in msgspec.structs.fields(projection):
        default = {"default": each.default, "default_factory": each.default_factory}
        if each.name != "metadata":
            fields[each.name] = (each.name, each.type, msgspec.field(**default))
    for name in SETTABLE:
        if name not in fields or fields[name][1] is not Raw:
            fields[name] = (name, Raw, ABSENT)
    return msgspec.defstruct(f"{projection.__name__}Wire", fields.values(), rename="camel", gc=False)


def _renewed(cached: Meta, meta: Metadata, version: int) -> Meta:
    """The metadata of another version of a cached object that has the same digest."""
    return Meta(
        cached.name,
        cached.uid,
        cached.namespace,
        version,
        meta.generation,
        cached.creation_timestamp,
        meta.deletion_timestamp,
        cached.labels,
        cached.annotations,
        cached.owner_references,
        meta.finalizers,
    )


def _slim(meta: Metadata, version: int) -> Meta:
    """The metadata that is cached: without what nobody reads, and with one copy of words that many objects share."""
    return Meta(
        meta.name,
        meta.uid,
        intern(meta.namespace),
        version,
        meta.generation,
        _shared(meta.creation_timestamp),
        meta.deletion_timestamp,
        # From a list, whose length is known: a tuple that is built from a generator keeps the spare room it grew.
        tuple([intern(word) for word in _pairs(meta.labels)]),
        _annotations(bytes(meta.annotations)),
        _owners(bytes(meta.owner_references)),
        meta.finalizers,
    )


def _pairs(words: Raw | bytes) -> Pairs:
    """A map of words as Pairs, without those that are NOT_READ."""
    return pairs(_WORDS.decode(words), NOT_READ) if words else ()


@lru_cache(maxsize=256)
def _annotations(words: bytes) -> Pairs:
    """Annotations as Pairs; most children have the same ones, or none."""
    return _pairs(words)


@lru_cache(maxsize=64)
def _owners(references: bytes) -> tuple[OwnerReference, ...]:
    """The owners of an object. In a list, children of one owner follow each other and refer to it by the same words."""
    return _OWNERS.decode(references) or () if references else ()


@lru_cache(maxsize=1024)
def _shared(time: str) -> str:
    """One copy of a time: many objects are created in the same second."""
    return time
