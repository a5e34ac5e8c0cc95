"""Whether an object has everything that is wanted of it: "desired ⊆ live".

The server adds defaults, writes quantities its own way and leaves out what is empty; none of that is a difference.
Other people's entries in lists that are keyed (a sidecar among containers, a port) are not either.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from frappe_operator.kube.quantities import amount

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
"""Lists that several may own entries of, and the fields that tell entries apart."""
SETS = frozenset({"finalizers"})
"""The same, of plain values."""
DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}
"""Of fields that tell entries apart and are often left out."""

QUANTITIES = frozenset({"requests", "limits", "capacity", "hard"})
"""Maps whose values are quantities."""
QUANTITY = frozenset({"sizeLimit", "averageValue", "divisor", "storage"})

Path = tuple[str, ...]


def difference(desired: Any, live: Any) -> str:
    """The first field of `desired` that `live` does not have so, as a path; empty when it has them all."""
    return ".".join(_difference(desired, live, ()) or ())


def quantity(text: object) -> Decimal | None:
    """The number a quantity stands for, None for what is no quantity."""
    try:
        return amount(str(text))
    except ValueError:
        return None


def keys_of(path: Path, items: Sequence[Any]) -> tuple[str, ...] | None:
    """The fields that tell the entries of a list apart; None for a list that is one value as a whole."""
    name = path[-1] if path else ""
    if name == "ports" and items and isinstance(items[0], Mapping) and "containerPort" in items[0]:
        return ("containerPort", "protocol")
    if path == ("spec", "ports"):
        return ("port", "protocol")
    return KEYED.get(name)


def key(item: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[str, ...]:
    """What tells an entry apart."""
    return tuple(str(item.get(field, DEFAULTS.get(field))) for field in fields)


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
    return None


def _in_list(desired: Sequence[Any], live: Any, path: Path) -> Path | None:
    if live is None and not desired:
        return None
    if not isinstance(live, list):
        return path
    if path[-1:] and path[-1] in SETS:
        return None if all(item in live for item in desired) else path
    fields = keys_of(path, desired)
    by_key = _by_key(live, fields) if fields else None
    if fields is None or by_key is None or _by_key(desired, fields) is None:
        return _in_order(desired, live, path)
    for item in desired:
        name = key(item, fields)
        if name not in by_key:
            return (*path, _shown(name))
        found = _difference(item, by_key[name], (*path, _shown(name)))
        if found is not None:
            return found
    return None


def _by_key(items: Sequence[Any], fields: tuple[str, ...]) -> dict[tuple[str, ...], Any] | None:
    """The entries by what tells them apart; None when that does not."""
    if not all(isinstance(item, Mapping) and isinstance(item.get(fields[0]), str | int) for item in items):
        return None
    found = {key(item, fields): item for item in items}
    return found if len(found) == len(items) else None


def _in_order(desired: Sequence[Any], live: list[Any], path: Path) -> Path | None:
    if len(desired) != len(live):
        return path
    for place, (wanted, found) in enumerate(zip(desired, live, strict=True)):
        where = _difference(wanted, found, (*path, str(place)))
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
        wanted = quantity(desired)
        return wanted is not None and wanted == quantity(live)
    # Ports and the like are a number or a string, and either may come back.
    return isinstance(desired, int | str) and isinstance(live, int | str) and str(desired) == str(live)


def _is_quantity(path: Path) -> bool:
    return path[-1:] != () and (path[-1] in QUANTITY or (len(path) > 1 and path[-2] in QUANTITIES))


def _shown(name: tuple[str, ...]) -> str:
    return f"[{'/'.join(name)}]"
