"""How the API merges objects: which lists are keyed, which maps are one value, and what a path into them is."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

from frappe_operator.kube.objects import Manifest


class Item(NamedTuple):
    """One entry of a keyed list, by the values of its keys."""

    keys: tuple[tuple[str, Any], ...]


class Member(NamedTuple):
    """One entry of a list that is a set."""

    value: Any


Element = str | Item | Member
Path = tuple[Element, ...]
"""The way to one field: names, and entries of lists that have an identity."""


class Shape(Protocol):
    """How one field merges, and the fields in it."""

    keys: tuple[str, ...]
    """The keys of the entries of this list; empty when it is not a keyed list."""
    members: bool
    """The list is a set of scalars."""
    whole: bool
    """The map or list is one value: whoever writes it writes all of it."""

    def field(self, name: str) -> "Shape": ...

    def item(self) -> "Shape": ...


# From the OpenAPI document of Kubernetes 1.37 for the kinds we touch; test_real_server compares.
KEYED: dict[str, tuple[str, ...]] = {
    "claims": ("name",),
    "conditions": ("type",),
    "containers": ("name",),
    "containers.ports": ("containerPort", "protocol"),
    "initContainers.ports": ("containerPort", "protocol"),
    "env": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "spec.ports": ("port", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
SETS = {"finalizers"}
WHOLE = {
    "claimRef",
    "configMapKeyRef",
    "dataSource",
    "fieldRef",
    "labelSelector",
    "namespaceSelector",
    "nodeSelector",
    "podSelector",
    "preference",
    "regarding",
    "related",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "resourceFieldRef",
    "secretKeyRef",
    "spec.selector",
}
KEY_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}


class BuiltIn:
    """A field of a kind that Kubernetes brings, known by its name and its parent's."""

    def __init__(self, parent: str, name: str) -> None:
        long = f"{parent}.{name}"
        self.name = name
        self.keys = KEYED.get(long) or KEYED.get(name, ())
        self.members = name in SETS
        self.whole = long in WHOLE or name in WHOLE

    def field(self, name: str) -> Shape:
        return built_in(self.name, name)

    def item(self) -> Shape:
        return self


@cache
def built_in(parent: str, name: str) -> Shape:
    return BuiltIn(parent, name)


class Declared:
    """A field of a custom resource, as its CRD declares it; what is not declared merges by its value."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        listed = schema.get("x-kubernetes-list-type", "atomic")
        self.keys = tuple(schema.get("x-kubernetes-list-map-keys", ())) if listed == "map" else ()
        self.members = listed == "set"
        self.whole = schema.get("x-kubernetes-map-type") == "atomic"

    def field(self, name: str) -> Shape:
        extra = self.schema.get("additionalProperties")
        inner = self.schema.get("properties", {}).get(name)
        return Declared(inner or (extra if isinstance(extra, dict) else {}))

    def item(self) -> Shape:
        return Declared(self.schema.get("items", {}))


class Custom:
    """A whole custom resource: metadata as everywhere, the rest as declared."""

    keys: tuple[str, ...] = ()
    members = False
    whole = False

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.declared = Declared(schema)

    def field(self, name: str) -> Shape:
        return built_in("", name) if name == "metadata" else self.declared.field(name)

    def item(self) -> Shape:
        return self


def element(item: Any, shape: Shape) -> Element:
    """The identity of a list's entry."""
    if shape.members:
        return Member(item)
    return Item(tuple((key, item.get(key, KEY_DEFAULTS.get(key))) for key in shape.keys))


def leaves(value: Any, shape: Shape) -> dict[Path, Any]:
    """Every path an object has, with what stands there; entries of keyed lists are paths of their own."""
    found: dict[Path, Any] = {}
    _leaves(value, shape, (), found)
    return found


def _leaves(value: Any, shape: Shape, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and not shape.whole and (value or not path):
        for name, inner in value.items():
            _leaves(inner, shape.field(name), (*path, name), found)
    elif isinstance(value, list) and (shape.keys or shape.members):
        for item in value:
            here = (*path, element(item, shape))
            found[here] = None
            if shape.keys:
                _leaves(item, shape.item(), here, found)
    else:
        found[path] = value


def merge(live: Any, config: Any, shape: Shape) -> Any:
    """`live` with every field of `config`; other fields stay."""
    if isinstance(live, dict) and isinstance(config, dict) and not shape.whole:
        merged = dict(live)
        for name, value in config.items():
            merged[name] = merge(live[name], value, shape.field(name)) if name in live else value
        return merged
    if isinstance(live, list) and isinstance(config, list) and (shape.keys or shape.members):
        return _merge_lists(live, config, shape)
    return config


def _merge_lists(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    """Entries of both: shared ones in the order of `config`, those of `live` alone where they stood."""
    left = [element(item, shape) for item in live]
    right = [element(item, shape) for item in config]
    old, new = dict(zip(left, live, strict=True)), dict(zip(right, config, strict=True))
    shared = [here for here in right if here in old]
    out: list[Any] = []
    done: set[Element] = set()
    i = j = 0
    while i < len(left) or j < len(right):
        if i < len(left):
            here = left[i]
            if here not in new:
                out.append(live[i])
                i += 1
                continue
            moved = j < len(right) and bool(shared) and shared[0] != here
            if here in done or moved:
                i += 1
                continue
        here = right[j]
        out.append(merge(old[here], new[here], shape.item()) if here in old else new[here])
        done.add(here)
        j += 1
        if shared and shared[0] == here:
            shared.pop(0)
    return out


def without(value: Any, gone: Iterable[Path], shape: Shape) -> Any:
    """`value` less the fields and entries that `gone` names; a map or list that is left empty goes as well."""
    tree: dict[Element, Any] = {}
    for path in gone:
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node.setdefault(path[-1], {})[None] = True
    return _without(value, tree, shape)


def _without(value: Any, tree: Mapping[Any, Any], shape: Shape) -> Any:
    if isinstance(value, dict):
        kept: Manifest = {}
        for name, inner in value.items():
            below = tree.get(name)
            if below is None:
                kept[name] = inner
            elif None not in below:
                rest = _without(inner, below, shape.field(name))
                if rest is not None:
                    kept[name] = rest
        return kept or None
    if isinstance(value, list):
        items = []
        for item in value:
            below = tree.get(element(item, shape))
            if below is None:
                items.append(item)
            elif None not in below:
                items.append(_without(item, below, shape.item()))
        return items or None
    return value


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """The paths and every named field on the way to them (not list entries: those are owned by name only)."""
    everything: set[Path] = set()
    for path in paths:
        everything.add(path)
        everything.update(path[:end] for end in range(1, len(path)) if isinstance(path[end - 1], str))
    return everything
