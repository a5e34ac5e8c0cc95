"""Decodes objects: from their JSON to what is cached of them."""

from collections.abc import Callable
from functools import lru_cache, partial
from sys import intern
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from frappe_operator.kube.kinds import GROUP, Key
from frappe_operator.kube.live import CONTROLLED_BY_US, Live, Meta, Owner, Pairs, pairs
from frappe_operator.runtime.drift import NOTHING, SETTABLE, SIXTY_BITS, joined, owned_fingerprint

NOT_READ = frozenset(
    {
        *("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"),
        *("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"),
        *("volume.kubernetes.io/selected-node", "volume.kubernetes.io/storage-provisioner"),
        "volume.beta.kubernetes.io/storage-provisioner",
        *("app.kubernetes.io/name", f"{GROUP}/component"),
    }
)
"""Annotations and labels that are on thousands of objects, for other programs."""
_WORDS = msgspec.json.Decoder(dict[str, str] | None)
_OWNERS = msgspec.json.Decoder(tuple[Owner, ...] | None)

CHANGES = ("ADDED", "MODIFIED", "DELETED")
"""Types of a watch's events that are about an object."""


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
        return self.manager == CONTROLLED_BY_US and self.operation == "Apply" and not self.subresource


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


class Item(Struct, gc=False):
    """What is kept of one object."""

    live: Live
    digest: int
    """Of all that someone may set: spec, data, labels, annotations, owners. Status and bookkeeping are not in it."""
    applied: int = NOTHING
    """Of the fields that we applied, as they are now; NOTHING: there are none, or they are not seen."""
    verified: int = 0
    """Of the digest, and of what was wanted, when the two were last found to agree."""

    @property
    def version(self) -> int:
        """The resourceVersion; higher is newer."""
        return self.live.metadata.resource_version


class Broken(Exception):
    """The bytes are not an object of the kind."""


class Decoded(NamedTuple):
    """One object, just read."""

    item: Item
    applied: Callable[[], int] | None
    """Works out `item.applied`, which takes longer than all the rest; None: nothing of it is ours."""


class Decoder:
    """Reads the objects of one kind as a projection, in one pass over their bytes."""

    def __init__(
        self,
        projection: type[Live],
        *,
        metadata_only: bool = False,
        known: Callable[[Key], Item | None] = lambda key: None,
    ) -> None:
        """`metadata_only`: nothing but metadata is in the bytes. `known`: what is kept of an object already; most
        events change a status, and little of the rest need be read again."""
        fields = {field.name: field.type for field in msgspec.structs.fields(projection) if field.name != "metadata"}
        # What may be set is seen as bytes first: its digest is kept, and hardly anything else.
        self._bytes = [name for name, kind in fields.items() if kind is Raw]
        self._again = {
            name: msgspec.json.Decoder(kind) for name, kind in fields.items() if name in SETTABLE and kind is not Raw
        }
        self._whole = [name for name in fields if name not in (*self._bytes, *self._again)]
        self._projection = projection
        self._metadata_only = metadata_only
        self._known = known
        wire: Any = _wire(projection)
        self._objects: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wire)
        event: Any = msgspec.defstruct("Event", [("type", str), ("object", wire)], gc=False)
        self._events: msgspec.json.Decoder[Any] = msgspec.json.Decoder(event)

    def object(self, data: bytes | Raw) -> Decoded:
        """One object. Raises Broken."""
        try:
            return self._decoded(self._objects.decode(data))
        except (msgspec.MsgspecError, ValueError, UnicodeDecodeError) as error:
            raise Broken(str(error)) from error

    def event(self, line: bytes) -> tuple[str, Decoded] | None:
        """One event of a watch: its type, and the object. None when it is not about an object that can be read."""
        try:
            event = self._events.decode(line)
            return (event.type, self._decoded(event.object)) if event.type in CHANGES else None
        except (msgspec.MsgspecError, ValueError, UnicodeDecodeError):
            return None

    def _decoded(self, seen: Any) -> Decoded:
        meta: Metadata = seen.metadata
        version = int(meta.resource_version)
        settable = joined((meta.owner_references, meta.labels, meta.annotations, seen.spec, seen.data))
        # Of an object whose rest is not seen, any new version may be a change.
        digest = hash((version, settable) if self._metadata_only else settable) & SIXTY_BITS
        known = self._known(Key(meta.namespace, meta.name))
        if known is not None and known.digest == digest and known.live.metadata.uid == meta.uid:
            live = self._projection(_renewed(known.live.metadata, meta, version), **self._kept(seen, known.live))
            return Decoded(Item(live, digest, known.applied, known.verified), None)
        item = Item(self._projection(_slim(meta, version), **self._kept(seen, None)), digest)
        for managed in () if self._metadata_only else meta.managed_fields:
            if managed.ours:
                return Decoded(item, partial(owned_fingerprint, bytes(managed.fields), settable))
        return Decoded(item, None)

    def _kept(self, seen: Any, known: Live | None) -> dict[str, Any]:
        """The fields of the projection. `known`: an object that differs in nothing that may be set."""
        kept = {name: getattr(seen, name) for name in self._whole}
        for name in self._bytes:
            # A Raw is a window on the whole answer, which would be kept alive by it.
            kept[name] = getattr(seen, name).copy()
        for name, decoder in self._again.items():
            if known is not None:
                kept[name] = getattr(known, name)
            elif (part := getattr(seen, name)) is not ABSENT:
                kept[name] = decoder.decode(part)
        return kept


def _wire(projection: type[Live]) -> type[Struct]:
    """The struct that an object is read into: what is kept of it, and what may be set as bytes."""
    fields: dict[str, Any] = {"metadata": ("metadata", Metadata)}
    for each in msgspec.structs.fields(projection):
        default = {"default": each.default, "default_factory": each.default_factory}
        if each.name != "metadata":
            fields[each.name] = (each.name, each.type, msgspec.field(**default))
    for name in SETTABLE:
        if name not in fields or fields[name][1] is not Raw:
            fields[name] = (name, Raw, ABSENT)
    return msgspec.defstruct(f"{projection.__name__}Wire", fields.values(), rename="camel", gc=False)


def _renewed(known: Meta, meta: Metadata, version: int) -> Meta:
    """The metadata of another version of a known object that has the same digest."""
    return Meta(
        known.name,
        known.uid,
        known.namespace,
        version,
        meta.generation,
        known.creation_timestamp,
        meta.deletion_timestamp,
        known.labels,
        known.annotations,
        known.owner_references,
        meta.finalizers,
    )


def _slim(meta: Metadata, version: int) -> Meta:
    """Lets go of what nobody reads, and has one copy of the words that thousands of objects share."""
    return Meta(
        meta.name,
        meta.uid,
        intern(meta.namespace),
        version,
        meta.generation,
        _same_word(meta.creation_timestamp),
        meta.deletion_timestamp,
        # Of a list, whose length is known: a tuple that grows keeps what it has too much.
        tuple([intern(word) for word in _pairs(meta.labels)]),
        _annotations(bytes(meta.annotations)),
        _owners(bytes(meta.owner_references)),
        meta.finalizers,
    )


def _pairs(words: Raw | bytes) -> Pairs:
    """A map of words, without those that are NOT_READ."""
    return pairs(_WORDS.decode(words), NOT_READ) if words else ()


@lru_cache(maxsize=256)
def _annotations(words: bytes) -> Pairs:
    """Most children have the same ones, or none."""
    return _pairs(words)


@lru_cache(maxsize=4096)
def _owners(references: bytes) -> tuple[Owner, ...]:
    """Children of one owner come one after the other: they all refer to it by the same words."""
    return _OWNERS.decode(references) or () if references else ()


@lru_cache(maxsize=1024)
def _same_word(time: str) -> str:
    """So do those that were made in the same second."""
    return time
