"""Evaluates the CEL rules of a schema on a new object, as the API server does."""

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
    """A problem for every rule that `value` violates. Transition rules (with `oldSelf`) do not apply to a new object.

    `value` is given as the API server stores it. `unsound`: paths where the value violates the schema otherwise. A rule
    that cannot be evaluated because of one yields no problem, as at the API server.
    """
    for rule in schema.get(VALIDATIONS, []):
        if "oldSelf" not in rule["rule"] and where not in unsound and not _holds(rule["rule"], value, bool(unsound)):
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


def _holds(rule: str, value: Any, may_fail: bool) -> bool:
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
    # Imported here because only one command needs it and it is slow to load.
    import cel

    return cel.compile(rule)


@cache
def _context() -> "Context":
    """A CEL context with those Kubernetes extension functions that our rules use."""
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
    # A quantity is represented by its text: the CEL library has no such type.
    "quantity": str,
    "isQuantity": _is_quantity,
    "compareTo": _compare,
    "asApproximateFloat": lambda quantity: float(amount(quantity)),
    "replace": str.replace,
    # On bytes, upper() changes ASCII characters only.
    "upperAscii": lambda text: text.encode().upper().decode(),
}
