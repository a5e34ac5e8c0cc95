"""What we applied to an object, as it is there now, in one number.

The server keeps, for each field manager, which fields it has set (`managedFields`). What those of ours hold now is
what we applied, if nobody has changed it: no default of the server's and nothing of other people's is in it. So a
child is known to be right, field by field, from one number, and its body need neither be kept nor asked for.

A number that differs proves nothing: the server may write the same in another way. Then bodies are compared.

Thousands of children differ in nothing but names. What is picked from one of them is remembered with placeholders for
the names, and is what would be picked from the next: picking asks strings for nothing but whether they are equal.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from frappe_operator.kube.kinds import Manifest
from frappe_operator.kube.live import Meta
from frappe_operator.runtime.cache.wire import ManagedFields, Metadata

NOTHING = 0
"""The number of an object of which nothing is ours, or of which that cannot be told."""
SIXTY_BITS = 2**60 - 1
"""Numbers of this size take a third less memory than those of Python's `hash`."""

FieldSet = Mapping[str, Any]
"""`f:name` a field, `k:{...}` an entry of a keyed list, `v:...` a value of a set; `.` the thing itself."""

MOST_SHAPES = 4096
"""Children that differ in more than names, of which is remembered what is ours of them."""

SETTABLE = ("spec", "data")
"""What our children have beside metadata. What else an object has counts only where its projection keeps it."""
SETTABLE_METADATA = ("ownerReferences", "labels", "annotations")

_FIELDS = msgspec.json.Decoder(dict[str, Any])
_SHAPES: dict[int, int] = {}
"""The digest of what is ours of a child, by that of all it was picked from; both with placeholders for names."""
_MARK, _NAME, _UID = b"\x7f", b"\x7f1", b"\x7f2"
"""In place of the owner's name and UID: legal in a string of JSON, and in none that we know of."""
_BETWEEN = b"\n"
"""Legal in no string of JSON."""


def fingerprint(manifest: Manifest) -> int:
    """The number of a child that is just as its manifest says."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in ("namespace", "name")}
    rest = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    text = msgspec.json.encode({"metadata": metadata, **rest}, order="sorted")
    owner = next((each for each in metadata.get("ownerReferences", ()) if each.get("controller")), manifest["metadata"])
    return _number(text, owner["name"].encode(), owner.get("uid", "").encode())


def settable(meta: Metadata, *parts: Raw) -> bytes:
    """What of an object anybody may set, as text. `parts`: the fields that are SETTABLE."""
    return _BETWEEN.join((meta.owner_references, meta.labels, meta.annotations, *parts))


def applied(ours: ManagedFields, meta: Meta, told: bytes) -> int:
    """The number of an object as it is; NOTHING when it cannot be told. `told`: what is `settable` of it."""
    owner = meta.controller
    name, uid = (owner.name.encode(), owner.uid.encode()) if owner else (meta.name.encode(), b"")
    whole = _BETWEEN.join((ours.fields, told))
    if _MARK in whole:
        return NOTHING
    # The UID stands in two places, if at all: in our fields, and in the reference to the owner. They come first, and to
    # look no further saves a fifth. Pieces between names are hashed faster than a text with placeholders is made.
    masked = whole.replace(uid or _UID, _UID, 2)
    shape = hash(tuple(masked.split(name)))
    picked = _SHAPES.get(shape)
    if picked is None:
        text = _picked_text(masked.replace(name, _NAME))
        if not text:
            # An owner may be called `true`.
            text = _picked_text(whole)
            return _number(text, name, uid) if text else NOTHING
        picked = _SHAPES[shape] = hash(text)
        if len(_SHAPES) > MOST_SHAPES:
            del _SHAPES[next(iter(_SHAPES))]
    return _named(picked, name, uid)


def _number(text: bytes, name: bytes, uid: bytes) -> int:
    """The number of what is ours of a child, as text."""
    if _MARK in text:
        return hash(text) & SIXTY_BITS
    return _named(hash(text.replace(uid or _UID, _UID).replace(name, _NAME)), name, uid)


def _named(picked: int, name: bytes, uid: bytes) -> int:
    return hash((picked, name, uid)) & SIXTY_BITS


def _picked_text(whole: bytes) -> bytes:
    """What is ours of an object that is given as text, empty when that cannot be told."""
    text, *parts = whole.split(_BETWEEN)
    told = {name: part for name, part in zip((*SETTABLE_METADATA, *SETTABLE), parts, strict=True) if part}
    try:
        fields = _FIELDS.decode(text)
        live = {name: msgspec.json.decode(told[name]) for name in SETTABLE if f"f:{name}" in fields}
        live["metadata"] = {name: msgspec.json.decode(told[name]) for name in SETTABLE_METADATA if name in told}
        return msgspec.json.encode(_picked(fields, live), order="sorted")
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        # A way of naming fields that we do not know, or fields that are not there.
        return b""


def _picked(fields: FieldSet, live: Any) -> Any:
    """The fields of a set, as they are in a value."""
    found = {}
    for field, below in fields.items():
        kind, name = field[0], field[2:]
        if kind == "f":
            found[name] = _picked(below, live[name]) if below else live[name]
        elif kind == "k":
            return _entries(fields, live)
        elif kind == "v":
            return [value for value in live if f"v:{msgspec.json.encode(value).decode()}" in fields]
    # An empty map or list of ours holds nothing of ours.
    return found or type(live)()


def _entries(fields: FieldSet, live: Any) -> list[Any]:
    """The entries of a keyed list."""
    names: tuple[str, ...] = ()
    wanted = {}
    for field, below in fields.items():
        if field != ".":
            names, values = _key(field)
            wanted[values] = below
    found = []
    for item in live:
        below = wanted.get(tuple([item.get(name) for name in names]))
        if below is not None:
            found.append(_picked(below, item) if below else item)
    return found


@lru_cache(maxsize=1024)
def _key(field: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """What tells an entry apart: names and values of its fields."""
    key = _FIELDS.decode(field[2:])
    return tuple(key), tuple(key.values())
