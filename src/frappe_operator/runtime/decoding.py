"""From an object's bytes to what is kept of it."""

from collections.abc import Callable
from functools import lru_cache, partial
from sys import intern
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from frappe_operator.kube.live import Live, Meta, Owner
from frappe_operator.runtime.applied import NOTHING, SIXTY_BITS, ManagedFields, applied

NOT_READ = frozenset({"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"})
"""Annotations of other programs that are on thousands of objects."""
SETTABLE = ("spec", "data")
"""What our children have beside metadata. What else an object has counts only where its projection keeps it."""


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
        return int(self.live.metadata.resource_version)


class Broken(Exception):
    """The bytes are not an object of the kind."""


class Decoded(NamedTuple):
    """One object, just read."""

    item: Item
    applied: Callable[[], int] | None
    """Works out `item.applied`, which takes longer than all the rest; None: nothing of it is ours."""


Decode = Callable[[bytes | Raw], Decoded]


class _Metadata(Meta):
    managed_fields: tuple[ManagedFields, ...] = ()


ABSENT = Raw(b"")


def decoder(projection: type[Live], *, metadata_only: bool = False) -> Decode:
    """Reads objects as `projection`, in one pass over their bytes. The function raises Broken."""
    fields = {field.name: field for field in msgspec.structs.fields(projection) if field.name != "metadata"}
    raw = [name for name, field in fields.items() if field.type is Raw]
    # Of what is seen as bytes first, little is kept.
    again = {name: msgspec.json.Decoder(field.type) for name, field in fields.items() if name in SETTABLE}
    again = {name: decoder for name, decoder in again.items() if name not in raw}
    whole = [name for name in fields if name not in raw and name not in again]
    wire: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_wire(projection))

    def decode(data: bytes | Raw) -> Decoded:
        try:
            seen = wire.decode(data)
            parts = {name: part for name in SETTABLE if (part := getattr(seen, name)) is not ABSENT}
            kept = {name: getattr(seen, name) for name in whole}
            for name in raw:
                # A Raw is a window on the whole answer, which would be kept alive by it.
                kept[name] = getattr(seen, name).copy()
            for name, decoder in again.items():
                if name in parts:
                    kept[name] = decoder.decode(parts[name])
            version = int(seen.metadata.resource_version)
        except (msgspec.MsgspecError, ValueError, UnicodeDecodeError) as error:
            raise Broken(str(error)) from error
        # Of an object whose rest is not seen, any new version may be a change.
        rest = version if metadata_only else tuple([hash(bytes(part)) for part in parts.values()])
        item = Item(
            projection(_slim(seen.metadata), **kept), hash((rest, _metadata_digest(seen.metadata))) & SIXTY_BITS
        )
        ours = None if metadata_only else next((each for each in seen.metadata.managed_fields if each.ours), None)
        return Decoded(item, ours and partial(applied, ours, seen.metadata, parts))

    return decode


def _wire(projection: type[Live]) -> type[Struct]:
    """The struct that an object is read into: what is kept of it, and what may be set as bytes."""
    fields: dict[str, Any] = {"metadata": ("metadata", _Metadata)}
    for each in msgspec.structs.fields(projection):
        default = {"default": each.default, "default_factory": each.default_factory}
        if each.name != "metadata":
            fields[each.name] = (each.name, each.type, msgspec.field(**default))
    for name in SETTABLE:
        if name not in fields or fields[name][1] is not Raw:
            fields[name] = (name, Raw, ABSENT)
    return msgspec.defstruct(f"{projection.__name__}Wire", fields.values(), rename="camel", gc=False)


def _slim(meta: Meta) -> Meta:
    """Lets go of what nobody reads, and has one copy of the words that thousands of objects share."""
    labels, annotations = meta.labels, meta.annotations
    return Meta(
        meta.name,
        meta.uid,
        intern(meta.namespace),
        meta.resource_version,
        meta.generation,
        meta.creation_timestamp,
        meta.deletion_timestamp,
        labels and {name: intern(value) for name, value in labels.items()},
        annotations and ({name: text for name, text in annotations.items() if name not in NOT_READ} or None),
        meta.owner_references and _shared(meta.owner_references),
        meta.finalizers,
    )


@lru_cache(maxsize=4096)
def _shared(owners: tuple[Owner, ...]) -> tuple[Owner, ...]:
    """Children of one owner come one after the other: they all refer to it by the same words."""
    return owners


def _metadata_digest(meta: Meta) -> int:
    labels = tuple((meta.labels or {}).items())
    annotations = tuple((meta.annotations or {}).items())
    return hash((labels, annotations, meta.owner_references))
