"""Field ownership: the managers of an object, and how applying and updating changes them."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from fakecluster.apiserver.structured_merge import (
    Element,
    Item,
    Member,
    Path,
    Shape,
    leaves,
    merge,
    with_parents,
    without,
)
from frappe_operator.kube.objects import Manifest


class ManagerEntry(NamedTuple):
    """The identity of an entry of `metadata.managedFields`."""

    manager: str
    operation: str
    """`Apply` or `Update`."""
    subresource: str = ""


Managers = Mapping[ManagerEntry, frozenset[Path]]

UNMANAGED_FIELDS = {
    ("apiVersion",),
    ("kind",),
    *(
        ("metadata", name)
        for name in (
            "creationTimestamp",
            "generation",
            "managedFields",
            "name",
            "namespace",
            "resourceVersion",
            "selfLink",
            "uid",
        )
    ),
}


def _owned(value: Manifest, shape: Shape) -> dict[Path, Any]:
    return {path: leaf for path, leaf in leaves(value, shape).items() if path[:2] not in UNMANAGED_FIELDS}


def applied(
    live: Manifest, config: Manifest, managers: Managers, who: ManagerEntry, shape: Shape
) -> tuple[Manifest, frozenset[Path]]:
    """What `live` becomes when `who` applies `config`, and what `who` owns then.

    Fields that `who` applied before, does not name now and nobody else owns are gone from the result.
    """
    mine = frozenset(_owned(config, shape))
    merged = merge(live, config, shape)
    last = managers.get(who)
    if not last:
        return merged, mine
    have = with_parents(leaves(merged, shape))
    others = [owned for other, owned in managers.items() if other != who]
    kept = with_parents(mine.union(*others))
    # Only what we applied last time may go; defaults that others' fields brought stay with those.
    gone = (have - kept) & with_parents(last)
    return without(merged, gone, shape) or {}, mine


class FieldConflict(Exception):
    """An apply without force would change what others own."""

    def __init__(self, held: Mapping[ManagerEntry, frozenset[Path]]) -> None:
        super().__init__("fields belong to other managers")
        self.held = held


def after(
    live: Manifest,
    new: Manifest,
    managers: Managers,
    who: ManagerEntry,
    shape: Shape,
    mine: frozenset[Path] | None,
    force: bool,
    hidden: Callable[[str], bool] = lambda name: False,
) -> Managers:
    """The managers once `live` has become `new`. `mine` is what an apply names; None for any other write.
    `hidden`: top-level fields that this write cannot reach, and so nobody comes to own by it.

    Raises `FieldConflict` when others own what changes and `force` is not given.
    """
    # What is the same as a whole need not be taken apart.
    differing = [name for name in {**live, **new} if live.get(name) != new.get(name) and not hidden(name)]
    was = _owned({name: live[name] for name in differing if name in live}, shape)
    now = _owned({name: new[name] for name in differing if name in new}, shape)
    changed = {path for path, leaf in now.items() if path not in was or was[path] != leaf}
    removed = was.keys() - now.keys()
    others = {other: owned for other, owned in managers.items() if other != who}
    held = {other: owned & changed for other, owned in others.items() if owned & changed}
    if held and not force:
        raise FieldConflict(held)
    result = {other: owned - changed - removed for other, owned in others.items()}
    if mine is None:
        mine = frozenset((managers.get(who, frozenset()) - removed) | changed)
    result[who] = mine
    return {other: owned for other, owned in result.items() if owned}


def rendered(managers: Managers, api_version: str, changed: Mapping[ManagerEntry, str]) -> list[Manifest]:
    """Renders `metadata.managedFields`."""
    return [
        {
            "manager": who.manager,
            "operation": who.operation,
            "apiVersion": api_version,
            "time": changed[who],
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(owned),
            **({"subresource": who.subresource} if who.subresource else {}),
        }
        for who, owned in sorted(managers.items())
    ]


def parsed(entries: Iterable[Manifest]) -> Managers:
    """The managers that `metadata.managedFields` names: `rendered` the other way round."""
    return {_who(entry): frozenset(_paths(entry["fieldsV1"], ())) for entry in entries}


def times(entries: Iterable[Manifest]) -> dict[ManagerEntry, str]:
    """When each manager that `metadata.managedFields` names has last changed what it owns."""
    return {_who(entry): entry["time"] for entry in entries}


def _who(entry: Manifest) -> ManagerEntry:
    return ManagerEntry(entry["manager"], entry["operation"], entry.get("subresource", ""))


def _paths(tree: Manifest, above: Path) -> Iterable[Path]:
    for word, below in tree.items():
        if word == ".":
            yield above
        elif below:
            yield from _paths(below, (*above, _element(word)))
        else:
            yield (*above, _element(word))


@lru_cache(maxsize=4096)
def _element(word: str) -> Element:
    kind, _, rest = word.partition(":")
    if kind == "k":
        return Item(tuple(json.loads(rest).items()))
    return Member(json.loads(rest)) if kind == "v" else rest


@lru_cache(maxsize=4096)
def _tree(owned: frozenset[Path]) -> Manifest:
    root: Manifest = {}
    for path in owned:
        node = root
        for part in path:
            node = node.setdefault(_word(part), {})
        if isinstance(path[-1], Item):
            node["."] = {}
    return root


@lru_cache(maxsize=4096)
def _word(part: Element) -> str:
    if isinstance(part, Item):
        return "k:" + json.dumps(dict(part.keys), separators=(",", ":"))
    if isinstance(part, Member):
        return "v:" + json.dumps(part.value)
    return f"f:{part}"


def spelled(path: Path) -> str:
    """A path as the API server's conflict messages spell it: `.spec.containers[name="web"].image`."""
    text = ""
    for part in path:
        if isinstance(part, Item):
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in part.keys) + "]"
        elif isinstance(part, Member):
            text += f"[={json.dumps(part.value)}]"
        else:
            text += f".{part}"
    return text
