"""Owned fields: the part of an object that a field set of `managedFields` names.

A field set names a field as `f:name`, an entry of a keyed list as `k:{...}` and a value of a set as `v:...`; `.` is the
value itself. The children of one component have the same field set, except for the keys of entries: a volume is mounted
under the host of its site. So a field set is split into keys and the text between them, and what that text means is
found out once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

Keys = Sequence[bytes]
"""The keys of entries in a field set, in the order of its text, each as a JSON string without its quotes."""
Pick = Callable[[Any, Keys], Any]
"""From a value to the part of it that is owned. Raises KeyError, TypeError or AttributeError when the value does not
have the fields that the field set names."""

MOST_SHAPES = 256
"""How many field sets are remembered that differ in more than keys: 20 kB each."""

_KEY = re.compile(rb'"k:([^"\\]*(?:\\.[^"\\]*)*)"')
_FIELDS = msgspec.json.Decoder(dict[str, Any])
_TEXT = msgspec.json.Decoder(str)


def picked(fields: bytes, live: Any) -> Any:
    """The fields of a set, given as JSON, with the values that they have in `live`.

    Raises MsgspecError or ValueError for a field set that cannot be read, and what a Pick raises.
    """
    parts = _KEY.split(fields)
    return _pick_of(tuple(parts[::2]))(live, parts[1::2])


@lru_cache(MOST_SHAPES)
def _pick_of(shape: tuple[bytes, ...]) -> Pick:
    """`shape`: the text of a field set between its keys."""
    numbered = [b'%b"k:%d"' % (text, number) for number, text in enumerate(shape[:-1])]
    return _pick(_FIELDS.decode(b"".join((*numbered, shape[-1]))))


def _pick(fields: Mapping[str, Any]) -> Pick:
    """`fields`: a set of fields with the number of its key in place of each key."""
    if not fields:
        return _whole
    if entries := [(int(field[2:]), _pick(below)) for field, below in fields.items() if field.startswith("k:")]:
        return _entries(entries)
    if values := {field[2:] for field in fields if field.startswith("v:")}:
        return lambda live, _: [value for value in live if msgspec.json.encode(value).decode() in values]
    named = {field[2:]: below for field, below in fields.items() if field.startswith("f:")}
    if not named:
        # Owning an empty map or list means owning nothing in it.
        return lambda live, _: type(live)()
    whole = tuple([name for name, below in named.items() if not below])
    parts = [(name, _pick(below)) for name, below in named.items() if below]
    return _some(whole, parts) if parts else _plain(whole)


def _whole(live: Any, _: Keys) -> Any:
    return live


def _plain(names: tuple[str, ...]) -> Pick:
    """Picks fields that are owned with all that is in them."""
    values, count = itemgetter(*names), len(names)

    def pick(live: Any, _: Keys) -> Any:
        # Most entries of lists have no other fields: they need no copy.
        values(live)
        return live if len(live) == count else {name: live[name] for name in names}

    return pick


def _some(names: tuple[str, ...], parts: Sequence[tuple[str, Pick]]) -> Pick:
    """Picks fields that are owned with all that is in them, and parts of others."""

    def pick(live: Any, keys: Keys) -> Any:
        found = {name: live[name] for name in names}
        for name, part in parts:
            found[name] = part(live[name], keys)
        return found

    return pick


def _entries(owned: Sequence[tuple[int, Pick]]) -> Pick:
    """Picks entries of a keyed list. `owned`: what is owned of each, with the number of its key."""

    def pick(live: Any, keys: Keys) -> Any:
        names, _ = _key(keys[owned[0][0]])
        by_values = {_key(keys[number])[1]: part for number, part in owned}
        if len(names) == 1:
            (name,) = names
            return [part(entry, keys) for entry in live if (part := by_values.get((entry.get(name),)))]
        values = [tuple([entry.get(name) for name in names]) for entry in live]
        return [part(entry, keys) for key, entry in zip(values, live, strict=True) if (part := by_values.get(key))]

    return pick


@lru_cache(1024)
def _key(text: bytes) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The fields that tell the entries of a keyed list apart, and their values in one entry."""
    key = _FIELDS.decode(_TEXT.decode(b'"%b"' % text))
    return tuple(key), tuple(key.values())
