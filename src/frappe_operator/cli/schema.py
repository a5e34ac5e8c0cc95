"""Validates an object against its schema: unknown, missing, mistyped and out-of-range fields.

The schema is that of the CustomResourceDefinition, and the messages are the same as those of the API server.
"""

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from frappe_operator.api import crd
from frappe_operator.cli.source import Problem, Where, spell
from frappe_operator.kube.kinds import Kind

Schema = dict[str, Any]
INT_OR_STRING = "x-kubernetes-int-or-string"
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
ANYTHING: Schema = {}
METADATA: Schema = {
    "namespace": {"type": "string"},
    "labels": TEXTS,
    "annotations": TEXTS,
    "finalizers": {"type": "array", "items": {"type": "string"}},
    "ownerReferences": ANYTHING,
    "creationTimestamp": ANYTHING,
    "deletionGracePeriodSeconds": ANYTHING,
    "deletionTimestamp": ANYTHING,
    "generation": ANYTHING,
    "managedFields": ANYTHING,
    "resourceVersion": ANYTHING,
    "selfLink": ANYTHING,
    "uid": ANYTHING,
}
"""Fields of metadata that every kind has and that a CustomResourceDefinition does not declare."""


@cache
def of(kind: Kind) -> Schema:
    """The schema of a whole object of one of our kinds, including its metadata."""
    schema = crd.schema(kind)
    metadata = schema["properties"]["metadata"]
    metadata = {**metadata, "required": ["name"], "properties": {**metadata["properties"], **METADATA}}
    required = ["metadata", *schema["required"]]
    return {**schema, "required": required, "properties": {**schema["properties"], "metadata": metadata}}


def stored(value: Any) -> Any:
    """A value as the API server stores it and evaluates rules on it: without fields that are null."""
    if isinstance(value, dict):
        return {name: stored(inner) for name, inner in value.items() if inner is not None}
    return [stored(each) for each in value] if isinstance(value, list) else value


def problems(value: Any, schema: Schema, where: Where = ()) -> Iterator[Problem]:
    """A problem for everything in `value` that violates its schema."""
    if wrong := _wrong_type(value, schema, where):
        yield wrong
        return
    yield from _limits(value, schema, where)
    match value:
        case dict():
            yield from _fields(value, schema, where)
        case list():
            yield from _items(value, schema, where)


def _fields(value: dict[str, Any], schema: Schema, where: Where) -> Iterator[Problem]:
    known = schema.get("properties", {})
    for name in schema.get("required", []):
        if value.get(name) is None:
            yield Problem((*where, name), "Required value", _hint(known[name]))
    for name, item in value.items():
        here = (*where, name)
        if name in known:
            # The API server drops a null before it validates: the field is absent.
            if item is not None:
                yield from problems(item, known[name], here)
        elif "additionalProperties" in schema:
            if item is not None:
                yield from problems(item, schema["additionalProperties"], here)
        else:
            yield Problem(here, f'unknown field "{spell(here)}"', _nearest(name, known))


def _items(value: list[Any], schema: Schema, where: Where) -> Iterator[Problem]:
    for index, item in enumerate(value):
        yield from problems(item, schema["items"], (*where, index))
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys", [])
    identities: list[Any] = []
    for index, item in enumerate(value):
        identity = {key: item[key] for key in keys if key in item} if kind == "map" and isinstance(item, dict) else item
        if kind in ("map", "set") and identities.count(identity) == 1:
            yield Problem((*where, index), f"Duplicate value: {quoted(identity)}", "remove one of them")
        identities.append(identity)


def _wrong_type(value: Any, schema: Schema, where: Where) -> Problem | None:
    wanted = "integer,string" if INT_OR_STRING in schema else schema.get("type")
    found = _type(value)
    if wanted is None or found in wanted.split(","):
        return None
    message = f'Invalid value: "{found}": {spell(where)} in body must be of type {wanted}: "{found}"'
    quotable = "string" in wanted and found in ("integer", "number", "boolean")
    return Problem(where, message, f"write it in quotes: {quoted(quoted(value))}" if quotable else _hint(schema))


def _limits(value: Any, schema: Schema, where: Where) -> Iterator[Problem]:
    place, hint = spell(where), _hint(schema)
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(quoted(each) for each in sorted(schema["enum"]))
        yield Problem(where, f"Unsupported value: {quoted(value)}: supported values: {supported}")
    if isinstance(value, str):
        # The API server counts characters, although its message says bytes.
        if len(value) > schema.get("maxLength", len(value)):
            yield Problem(where, f"Too long: may not be more than {schema['maxLength']} bytes", hint)
        if "pattern" in schema and not re.search(schema["pattern"], value):
            message = f"Invalid value: {quoted(value)}: {place} in body should match '{schema['pattern']}'"
            yield Problem(where, message, hint)
    if _type(value) == "integer":
        if value < schema.get("minimum", value):
            message = f"Invalid value: {value}: {place} in body should be greater than or equal to {schema['minimum']}"
            yield Problem(where, message, hint)
        if value > schema.get("maximum", value):
            message = f"Invalid value: {value}: {place} in body should be less than or equal to {schema['maximum']}"
            yield Problem(where, message, hint)
    most = schema.get("maxItems") or schema.get("maxProperties")
    if isinstance(value, list | dict) and most is not None and len(value) > most:
        yield Problem(where, f"Too many: {len(value)}: must have at most {most} items", hint)


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            # The API server has no integers of more than 64 bits.
            return "integer" if value == value // 1 and abs(value) < 2**63 else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def quoted(value: Any) -> str:
    """A value as the API server quotes it."""
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f"}
ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _escaped(character: str) -> str:
    code = ord(character)
    if character in ESCAPES or character.isprintable():
        return ESCAPES.get(character, character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _hint(schema: Schema) -> str:
    """The description of a field, with its example if it has one."""
    description = schema.get("description", "")
    return f"{description} For example: {quoted(schema['example'])}" if "example" in schema else description


def _nearest(name: str, known: Schema) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known fields: {', '.join(sorted(known))}"
