"""The CEL rules of a schema, asked of an object as the API server asks them when the object is new."""

from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from frappe_operator.cli.schema import Schema, quoted
from frappe_operator.cli.source import MapKey, Problem, Where
from frappe_operator.kube.quantities import amount

if TYPE_CHECKING:
    from cel import Context, Program

VALIDATIONS = "x-kubernetes-validations"


def problems(value: Any, schema: Schema, unsound: Collection[Where], where: Where = ()) -> Iterator[Problem]:
    """Every rule that `value` breaks, which is as the API server stores it. Rules about changes do not apply.

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
            known, any_key = schema.get("properties", {}).get(name), schema.get("additionalProperties")
            if (inner := known or any_key) and item is not None:
                yield from problems(item, inner, unsound, (*where, name if known else MapKey(name)))
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(item, schema["items"], unsound, (*where, index))


def _kept(rule: str, value: Any, may_fail: bool) -> bool:
    context = _context()
    context.add_variable("self", value)
    try:
        return bool(_program(rule).execute(context))
    except (KeyError, RuntimeError, TypeError, ValueError):
        if may_fail:
            return True
        raise


@cache
def _program(rule: str) -> "Program":
    # Only this command needs it, and it is slow to load.
    import cel

    return cel.compile(rule)


@cache
def _context() -> "Context":
    """What the API server's rules know besides CEL itself, as far as ours ask for it."""
    import cel

    context = cel.Context()
    for name, function in FUNCTIONS.items():
        context.add_function(name, function)
    return context


def _is_quantity(text: str) -> bool:
    try:
        amount(text)
    except ValueError:
        return False
    return True


def _compare(one: str, other: str) -> int:
    return (amount(one) > amount(other)) - (amount(one) < amount(other))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    # A quantity is its text here: CEL has no value of the kind.
    "quantity": str,
    "isQuantity": _is_quantity,
    "compareTo": _compare,
    "asApproximateFloat": lambda quantity: float(amount(quantity)),
    "replace": str.replace,
    # Of bytes it changes what is ASCII, and nothing else.
    "upperAscii": lambda text: text.encode().upper().decode(),
}
