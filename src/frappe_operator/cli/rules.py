"""The CEL rules of a schema, asked of an object as the API server asks them when the object is new."""

from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from frappe_operator.cli.schema import Schema, quoted
from frappe_operator.cli.source import Problem, Where

if TYPE_CHECKING:
    from cel import Program

VALIDATIONS = "x-kubernetes-validations"


def problems(value: Any, schema: Schema, unsound: Collection[Where], where: Where = ()) -> Iterator[Problem]:
    """Every rule that `value` breaks. Rules about changes do not apply.

    `unsound`: places where the value does not keep to the schema otherwise. A rule that cannot be asked because of
    one says nothing, as at the API server.
    """
    for rule in schema.get(VALIDATIONS, []):
        if "oldSelf" not in rule["rule"] and where not in unsound and not _kept(rule["rule"], value, bool(unsound)):
            shown = "" if isinstance(value, dict | list) else f"{quoted(value)}: "
            place = tuple(rule.get("fieldPath", "").split(".")[1:])
            yield Problem((*where, *place), f"Invalid value: {shown}{rule['message']}")
    if isinstance(value, dict) and where not in unsound:
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if inner and item is not None:
                yield from problems(item, inner, unsound, (*where, name))
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(item, schema["items"], unsound, (*where, index))


def _kept(rule: str, value: Any, may_fail: bool) -> bool:
    try:
        return bool(_program(rule).execute({"self": value}))
    except (KeyError, RuntimeError, TypeError, ValueError):
        if may_fail:
            return True
        raise


@cache
def _program(rule: str) -> "Program":
    # Only this command needs it, and it is slow to load.
    import cel

    return cel.compile(rule)
