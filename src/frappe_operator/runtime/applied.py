"""What we applied to an object, as it is there now, in one number.

The server keeps, for each field manager, which fields it has set (`managedFields`). What those of ours hold now is
what we applied, if nobody has changed it: no default of the server's and nothing of other people's is in it. So a
child is known to be right, field by field, from one number, and its body need neither be kept nor asked for.

A number that differs proves nothing: the server may write the same in another way. Then bodies are compared.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from frappe_operator.kube.kinds import Manifest
from frappe_operator.kube.live import Owner
from frappe_operator.runtime.wire import ManagedFields, Metadata

NOTHING = 0
"""The number of an object of which nothing is ours, or of which that cannot be told."""
SIXTY_BITS = 2**60 - 1
"""Numbers of this size take a third less memory than those of Python's `hash`."""

FieldSet = Mapping[str, Any]
"""`f:name` a field, `k:{...}` an entry of a keyed list, `v:...` a value of a set; `.` the thing itself."""

_FIELDS = msgspec.json.Decoder(dict[str, Any])


def digest(value: Any) -> int:
    """A number that two values share when they are equal, and hardly ever otherwise."""
    return hash(msgspec.json.encode(value, order="sorted")) & SIXTY_BITS


def fingerprint(manifest: Manifest) -> int:
    """The number of a child that is just as its manifest says."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in ("namespace", "name")}
    rest = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    return digest({"metadata": metadata, **rest})


def applied(ours: ManagedFields, meta: Metadata, parts: Mapping[str, Raw]) -> int:
    """The number of an object as it is. `parts`: its fields beside metadata. NOTHING when it cannot be told."""
    try:
        fields = _FIELDS.decode(ours.fields)
        whole = {name: msgspec.json.decode(part) for name, part in parts.items() if f"f:{name}" in fields}
        if "f:metadata" in fields:
            whole["metadata"] = _plain(meta)
        return digest(_picked(fields, whole))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        # A way of naming fields that we do not know, or fields that are not there.
        return NOTHING


def _plain(meta: Metadata) -> Manifest:
    return {
        "labels": meta.labels,
        "annotations": meta.annotations,
        "finalizers": meta.finalizers,
        "ownerReferences": _plain_owners(meta.owner_references),
    }


@lru_cache(maxsize=1024)
def _plain_owners(owners: tuple[Owner, ...]) -> list[Manifest]:
    """Children of one owner come one after the other."""
    plain: list[Manifest] = msgspec.to_builtins(owners)
    return plain


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
