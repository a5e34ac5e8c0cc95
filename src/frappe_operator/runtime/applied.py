"""What we applied to an object, as it is there now, in one number.

The server keeps, for each field manager, which fields it has set (`managedFields`). What those of ours hold now is
what we applied, if nobody has changed it: no default of the server's and nothing of other people's is in it. So a
child is known to be right, field by field, from one number, and its body need neither be kept nor asked for.

A number that differs proves nothing: the server may write the same in another way. Then bodies are compared.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from frappe_operator.kube.kinds import Manifest
from frappe_operator.kube.live import CONTROLLED_BY_US, Meta, Owner

NOTHING = 0
"""The number of an object of which nothing is ours, or of which that cannot be told."""
SIXTY_BITS = 2**60 - 1
"""Numbers of this size take a third less memory than those of Python's `hash`."""

FieldSet = Mapping[str, Any]
"""`f:name` a field, `k:{...}` an entry of a keyed list, `v:...` a value of a set; `.` the thing itself."""
Pick = Callable[[Any], Any]
"""Takes the fields of one set out of a value."""

_FIELDS = msgspec.json.Decoder(dict[str, Any])
_PARTS = msgspec.json.Decoder(dict[str, Raw])


class ManagedFields(Struct, rename="camel", gc=False):
    """What one manager has set."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    fields: Raw = msgspec.field(name="fieldsV1", default=Raw(b"{}"))

    @property
    def ours(self) -> bool:
        return self.manager == CONTROLLED_BY_US and self.operation == "Apply" and not self.subresource


def digest(value: Any) -> int:
    """A number that two values share when they are equal, and hardly ever otherwise."""
    return hash(msgspec.json.encode(value, order="sorted")) & SIXTY_BITS


def fingerprint(manifest: Manifest) -> int:
    """The number of a child that is just as its manifest says."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in ("namespace", "name")}
    rest = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    return digest({"metadata": metadata, **rest})


def applied(ours: ManagedFields, meta: Meta, parts: Mapping[str, Raw]) -> int:
    """The number of an object as it is. `parts`: its fields beside metadata. NOTHING when it cannot be told."""
    try:
        found: Manifest = {}
        for field, fields in _PARTS.decode(ours.fields).items():
            name, pick = field.removeprefix("f:"), _pick(bytes(fields))
            found[name] = pick(_metadata(meta) if name == "metadata" else msgspec.json.decode(parts[name]))
        return digest(found)
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        # A way of naming fields that we do not know, or fields that are not there.
        return NOTHING


def _metadata(meta: Meta) -> Manifest:
    return {
        "labels": meta.labels,
        "annotations": meta.annotations,
        "finalizers": meta.finalizers,
        "ownerReferences": _plain(meta.owner_references),
    }


@lru_cache(maxsize=4096)
def _plain(owners: tuple[Owner, ...]) -> list[Manifest]:
    plain: list[Manifest] = msgspec.to_builtins(owners)
    return plain


@lru_cache(maxsize=4096)
def _pick(fields: bytes) -> Pick:
    """Thousands of children have the same fields: how to pick them is worked out once."""
    return _picks(_FIELDS.decode(fields))


def _picks(fields: FieldSet) -> Pick:
    named = {field[2:]: below for field, below in fields.items() if field.startswith("f:")}
    if named:
        return _of_map(named)
    entries = {field[2:]: below for field, below in fields.items() if field.startswith("k:")}
    if entries:
        return _of_entries(entries)
    values = [msgspec.json.decode(field[2:]) for field in fields if field.startswith("v:")]
    if values or "." not in fields:
        return lambda live: [value for value in live if value in values]
    # An empty map or list.
    return lambda live: type(live)()


def _of_map(named: FieldSet) -> Pick:
    whole = [name for name, below in named.items() if not below]
    within = [(name, _picks(below)) for name, below in named.items() if below]

    def pick(live: Any) -> Any:
        found = {name: live[name] for name in whole}
        for name, inner in within:
            found[name] = inner(live[name])
        return found

    return pick


def _of_entries(entries: FieldSet) -> Pick:
    keys = [_FIELDS.decode(key) for key in entries]
    names = tuple(keys[0])
    picks = [_picks(below) if below else _whole for below in entries.values()]
    by_key = {tuple(key[name] for name in names): pick for key, pick in zip(keys, picks, strict=True)}

    def pick(live: Any) -> Any:
        found = [(by_key.get(tuple([item.get(name) for name in names])), item) for item in live]
        return [inner(item) for inner, item in found if inner]

    return pick


def _whole(item: Any) -> Any:
    return item
