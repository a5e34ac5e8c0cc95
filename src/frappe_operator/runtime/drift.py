"""Drift: whether a child is as its manifest says, and if not, which field differs.

The API server records for each field manager which fields it has applied (`managedFields`): `f:name` a field, `k:{...}`
an entry of a keyed list, `v:...` a value of a set. The fingerprint of the operator's own fields, with the values that
they have now, equals the manifest's fingerprint when nothing has drifted: server defaults and the fields of others are
not in it. So a child is known to be right from one number, and its body need be neither kept nor read.

Different fingerprints prove nothing, because the server may write the same value in another way. Then bodies are
compared: `difference` finds desired fields that are missing or different, `stale_field` finds fields that the operator
has applied once and does not want any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount
from frappe_operator.runtime.owned_fields import picked

# The fingerprint

NOTHING = 0
"""The fingerprint of an object in which the operator owns no field, or whose owned fields cannot be determined."""
SIXTY_BITS = 2**60 - 1
"""Integers of this size take a third less memory than those of Python's `hash`."""

SETTABLE = ("spec", "data")
"""The fields, besides metadata, that the manifests of children have."""
SETTABLE_METADATA = ("ownerReferences", "labels", "annotations")

_PART = msgspec.json.Decoder()
_SORTED = msgspec.json.Encoder(order="sorted")
_BETWEEN = b"\n"
"""Separates JSON texts: a newline is legal in no string of JSON."""


def fingerprint(manifest: Manifest) -> int:
    """The fingerprint of a child that is exactly as its manifest says."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in ("namespace", "name")}
    rest = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    return _hash(_SORTED.encode({"metadata": metadata, **rest}))


def joined(parts: Iterable[bytes | msgspec.Raw]) -> bytes:
    """The settable parts of an object as one text: those of SETTABLE_METADATA, then those of SETTABLE, each as JSON or
    empty when the object does not have it."""
    return _BETWEEN.join(parts)


def owned_fingerprint(fields: bytes, settable: bytes) -> int:
    """The fingerprint of the fields that the operator owns in an object, with the values they have now; NOTHING when it
    cannot be determined. `fields`: their field set as JSON. `settable`: the object's parts, `joined`."""
    parts = zip((*SETTABLE_METADATA, *SETTABLE), settable.split(_BETWEEN), strict=True)
    found = {name: part for name, part in parts if part}
    try:
        live = {name: _PART.decode(found[name]) for name in SETTABLE if name in found}
        live["metadata"] = {name: _PART.decode(found[name]) for name in SETTABLE_METADATA if name in found}
        return _hash(_SORTED.encode(picked(fields, live)))
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError):
        # An unknown way of naming fields, or fields that the object does not have.
        return NOTHING


def _hash(text: bytes) -> int:
    return hash(text) & SIXTY_BITS


# The comparison: desired ⊆ live

KEYED: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Lists whose entries may have several owners, and the fields that tell entries apart."""
SELECTORS = frozenset({"labelSelector", "matchLabels", "nodeSelector", "selector"})
"""Maps that have one owner as a whole: one more label in a selector selects something else."""
SETS = frozenset({"finalizers"})
"""Lists of plain values that may have several owners."""
DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}
"""Defaults of the fields that tell entries apart."""

QUANTITIES = frozenset({"requests", "limits", "capacity", "hard"})
"""Maps whose values are quantities."""
QUANTITY = frozenset({"sizeLimit", "averageValue", "divisor", "storage"})
"""Fields whose value is a quantity."""

Path = tuple[str, ...]


def difference(desired: Any, live: Any) -> str:
    """The path of the first field of `desired` that `live` lacks or has with another value; empty when there is none.

    Defaults that the server adds, another way of writing a quantity, an empty value that is left out, and entries of
    others in keyed lists (a sidecar among the containers, a port) are no difference. One more label in a selector is.
    """
    return ".".join(_difference(desired, live, ()) or ())


def quantity(text: object) -> Decimal | None:
    """The number that a quantity stands for, None for any other text."""
    try:
        return amount(str(text))
    except ValueError:
        return None


def _key_fields(path: Path, entries: Sequence[Any]) -> tuple[str, ...] | None:
    """The fields that tell the entries of a list apart; None for a list that has one owner as a whole."""
    name = path[-1] if path else ""
    if name == "ports" and entries and isinstance(entries[0], Mapping) and "containerPort" in entries[0]:
        return ("containerPort", "protocol")
    if path == ("spec", "ports"):
        return ("port", "protocol")
    return KEYED.get(name)


def _key(entry: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[str, ...]:
    """The values that tell an entry of a list apart."""
    return tuple(str(entry.get(field, DEFAULTS.get(field))) for field in fields)


def _difference(desired: Any, live: Any, path: Path) -> Path | None:
    if isinstance(desired, Mapping):
        return _in_map(desired, live, path)
    if isinstance(desired, list | tuple):
        return _in_list(desired, live, path)
    return None if _same(desired, live, path) else path


def _in_map(desired: Mapping[str, Any], live: Any, path: Path) -> Path | None:
    if live is None and not desired:
        return None
    if not isinstance(live, Mapping):
        return path
    for name, value in desired.items():
        found = _difference(value, live.get(name), (*path, name))
        if found is not None:
            return found
    if path[-1:] and path[-1] in SELECTORS:
        return next(((*path, name) for name in live if name not in desired), None)
    return None


def _in_list(desired: Sequence[Any], live: Any, path: Path) -> Path | None:
    if live is None and not desired:
        return None
    if not isinstance(live, list):
        return path
    if path[-1:] and path[-1] in SETS:
        return None if all(entry in live for entry in desired) else path
    fields = _key_fields(path, desired)
    by_key = _by_key(live, fields) if fields else None
    if fields is None or by_key is None or _by_key(desired, fields) is None:
        return _in_order(desired, live, path)
    for entry in desired:
        key = _key(entry, fields)
        if key not in by_key:
            return (*path, _shown(key))
        found = _difference(entry, by_key[key], (*path, _shown(key)))
        if found is not None:
            return found
    return None


def _by_key(entries: Sequence[Any], fields: tuple[str, ...]) -> dict[tuple[str, ...], Any] | None:
    """The entries of a list by their keys; None when keys are missing or not unique."""
    if not all(isinstance(entry, Mapping) and isinstance(entry.get(fields[0]), str | int) for entry in entries):
        return None
    found = {_key(entry, fields): entry for entry in entries}
    return found if len(found) == len(entries) else None


def _in_order(desired: Sequence[Any], live: list[Any], path: Path) -> Path | None:
    if len(desired) != len(live):
        return path
    for index, (entry, found) in enumerate(zip(desired, live, strict=True)):
        where = _difference(entry, found, (*path, str(index)))
        if where is not None:
            return where
    return None


def _same(desired: Any, live: Any, path: Path) -> bool:
    if live is None:
        # What is empty, zero or false is often not written at all.
        return not desired
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    if desired == live:
        return True
    if _is_quantity(path):
        amount_desired = quantity(desired)
        return amount_desired is not None and amount_desired == quantity(live)
    # Ports and the like are a number or a string, and either may come back.
    return isinstance(desired, int | str) and isinstance(live, int | str) and str(desired) == str(live)


def _is_quantity(path: Path) -> bool:
    return path[-1:] != () and (path[-1] in QUANTITY or (len(path) > 1 and path[-2] in QUANTITIES))


def _shown(key: tuple[str, ...]) -> str:
    return f"[{'/'.join(key)}]"


# Fields that are not desired any more


def stale_field(desired: Manifest, live: Manifest) -> str:
    """The path of a field that the operator has applied to `live` and that `desired` does not have any more; empty when
    there is none. Applying `desired` removes it."""
    for entry in live["metadata"].get("managedFields") or []:
        owned = entry.get("manager") == OPERATOR_NAME and entry.get("operation") == "Apply"
        if owned and not entry.get("subresource"):
            found = _stale_field(entry.get("fieldsV1") or {}, desired)
            if found:
                return ".".join(found)
    return ""


def _stale_field(fields: Mapping[str, Any], desired: Any) -> tuple[str, ...]:
    for field, below in fields.items():
        if field == ".":
            continue
        kind, _, text = field.partition(":")
        if kind == "f":
            found = desired.get(text) if isinstance(desired, Mapping) else None
            is_desired = isinstance(desired, Mapping) and text in desired
        else:
            found = _entry(kind, msgspec.json.decode(text), desired)
            is_desired = found is not None
        if not is_desired:
            return (text,)
        inner = _stale_field(below, found) if below else ()
        if inner:
            return (text, *inner)
    return ()


def _entry(kind: str, key: Any, desired: Any) -> Any:
    """The entry of a list that a FieldSet names, None when there is none."""
    if not isinstance(desired, list):
        return None
    if kind == "v":
        return key if key in desired else None
    if kind == "i":
        return desired[key] if key < len(desired) else None
    for entry in desired:
        if isinstance(entry, Mapping) and all(entry.get(n, DEFAULTS.get(n)) == value for n, value in key.items()):
            return entry
    return None
