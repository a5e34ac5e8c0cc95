"""From an object's bytes to what is kept of it."""

from collections.abc import Callable
from functools import lru_cache
from sys import intern
from typing import get_type_hints

import msgspec
from msgspec import Raw, Struct

from frappe_operator.kube.live import Live, Meta, Owner

NOT_READ = frozenset({"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"})
"""Annotations of other programs that are on thousands of objects."""
NOT_COMPARED = frozenset({"apiVersion", "kind", "metadata", "status"})


class Item(Struct, gc=False):
    """What is kept of one object."""

    live: Live
    digest: int
    """Of all that someone may set: spec, data, labels, annotations, owners. Status and bookkeeping are not in it."""
    version: int
    """The resourceVersion; higher is newer."""
    verified: int = 0
    """Of the digest, and of what was wanted, when the two were last found to agree."""
    body: bytes | None = None
    """The whole object, while it is one of ours that was not verified yet, and there is room."""


class Broken(Exception):
    """The bytes are not an object of the kind."""


Decode = Callable[[bytes | Raw], Item]


def decoder(projection: type[Live], *, metadata_only: bool = False) -> Decode:
    """Reads objects as `projection`. The function raises Broken."""
    whole = msgspec.json.Decoder(projection)
    parts = msgspec.json.Decoder(dict[str, Raw])
    raw_fields = tuple(name for name, kind in get_type_hints(projection).items() if kind is Raw)

    def decode(data: bytes | Raw) -> Item:
        try:
            live = whole.decode(data)
            # A Raw is a window on the whole answer, which would be kept alive by it.
            for name in raw_fields:
                setattr(live, name, getattr(live, name).copy())
            version = int(live.metadata.resource_version)
            # Of an object whose rest is not seen, any new version may be a change.
            rest = version if metadata_only else _digest(parts.decode(data))
        except (msgspec.MsgspecError, ValueError, UnicodeDecodeError) as error:
            raise Broken(str(error)) from error
        digest = hash((rest, _metadata_digest(live.metadata)))
        _slim(live.metadata)
        return Item(live, digest, version)

    return decode


def _slim(meta: Meta) -> None:
    """Lets go of what nobody reads, and has one copy of the words that thousands of objects share."""
    meta.namespace = intern(meta.namespace)
    if meta.labels:
        meta.labels = {name: intern(value) for name, value in meta.labels.items()}
    if meta.annotations:
        meta.annotations = {n: text for n, text in meta.annotations.items() if n not in NOT_READ} or None
    if meta.owner_references:
        meta.owner_references = _shared(meta.owner_references)


@lru_cache(maxsize=4096)
def _shared(owners: tuple[Owner, ...]) -> tuple[Owner, ...]:
    """Children of one owner come one after the other: they all refer to it by the same words."""
    return owners


def _digest(parts: dict[str, Raw]) -> int:
    return hash(tuple((name, hash(bytes(raw))) for name, raw in parts.items() if name not in NOT_COMPARED))


def _metadata_digest(meta: Meta) -> int:
    labels = tuple((meta.labels or {}).items())
    annotations = tuple((meta.annotations or {}).items())
    return hash((labels, annotations, meta.owner_references))
