"""The ways in which a mutant is wrong: each is a small change of the syntax tree of one function.

A change finds its place by names that occur there, never by text, order or number, so that it survives reformatting and
follows a rename of the names. It raises Stale when the place is not there, or when more than one place fits.
"""

import ast
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

Change = Callable[[ast.AST], None]
"""Plants a bug in a module, class or function. Raises Stale."""

Node = TypeVar("Node", bound=ast.AST)


class Stale(Exception):
    """The mutant does not fit the code any more. The message says what to do."""


def always_true(names: str) -> Change:
    """The condition in which all these names occur holds, whatever they are: `always_true("uid fresh")`."""
    return _condition(names, value=True)


def always_false(names: str) -> Change:
    """The condition in which all these names occur never holds."""
    return _condition(names, value=False)


def without_call(name: str) -> Change:
    """The statement that is a call of `name` is left out."""
    return lambda scope: _replace(scope, f"statement that calls {name}", lambda node: _calls(node, name), ast.Pass())


def without_assignment(name: str) -> Change:
    """The statement that assigns to the variable, field or annotation `name` is left out."""
    return lambda scope: _replace(scope, f"assignment to {name}", lambda node: name in _targets(node), ast.Pass())


def assigned(name: str, value: str) -> Change:
    """The variable or field `name` gets another value."""

    def change(scope: ast.AST) -> None:
        place = _only(scope, f"assignment to {name}", lambda node: name in _targets(node))
        cast(ast.Assign, place).value = _expression(value)

    return change


def argument(call: str, which: int | str, value: str) -> Change:
    """An argument of the call of `call`, by position or by keyword, has another value."""

    def change(scope: ast.AST) -> None:
        place = _call(scope, call)
        if isinstance(which, int):
            if which >= len(place.args):
                raise Stale(f"The call of {call} has no argument {which}")
            place.args[which] = _expression(value)
        else:
            keyword = [each for each in place.keywords if each.arg == which]
            if not keyword:
                raise Stale(f"The call of {call} has no argument {which}")
            keyword[0].value = _expression(value)

    return change


def without_argument(call: str, which: int | str) -> Change:
    """An argument of the call of `call`, by position or by keyword, is left out."""

    def change(scope: ast.AST) -> None:
        place = _call(scope, call)
        before = len(place.args), len(place.keywords)
        place.args = [each for number, each in enumerate(place.args) if number != which]
        place.keywords = [each for each in place.keywords if each.arg != which]
        if (len(place.args), len(place.keywords)) == before:
            raise Stale(f"The call of {call} has no argument {which}")

    return change


def calls_instead(call: str, other: str) -> Change:
    """Another function is called in place of `call`."""

    def change(scope: ast.AST) -> None:
        _call(scope, call).func = _expression(other)

    return change


def without_entry(key: str) -> Change:
    """The entry `key` of a dict literal is left out."""

    def change(scope: ast.AST) -> None:
        place, number = _entry(scope, key)
        del place.keys[number], place.values[number]

    return change


def with_entry(beside: str, key: str, value: str) -> Change:
    """The dict literal with the entry `beside` has another entry."""

    def change(scope: ast.AST) -> None:
        place, _ = _entry(scope, beside)
        place.keys.append(ast.Constant(key))
        place.values.append(_expression(value))

    return change


def expression(old: str, new: str) -> Change:
    """One expression is another: where no other change says what is wrong."""
    wanted = ast.dump(_expression(old))
    return lambda scope: _replace(scope, old, lambda node: ast.dump(node) == wanted, _expression(new))


def returns(value: str) -> Change:
    """The function returns a value and does nothing."""

    def change(scope: ast.AST) -> None:
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            raise Stale("Only a function returns something")
        scope.body = [ast.Return(_expression(value))]

    return change


def does_not_catch(exception: str) -> Change:
    """The handler for `exception` catches something that never happens."""

    def change(scope: ast.AST) -> None:
        place = _only(
            scope,
            f"handler for {exception}",
            lambda node: (
                isinstance(node, ast.ExceptHandler) and node.type is not None and exception in _names(node.type)
            ),
        )
        cast(ast.ExceptHandler, place).type = _expression("ZeroDivisionError")

    return change


def before_all_else(name: str) -> Change:
    """The statement that calls `name` is the first of the function."""

    def change(scope: ast.AST) -> None:
        statement = _only(scope, f"statement that calls {name}", lambda node: _calls(node, name))
        _replace(scope, f"statement that calls {name}", lambda node: _calls(node, name), ast.Pass())
        cast(ast.FunctionDef, scope).body.insert(0, cast(ast.stmt, statement))

    return change


def in_the_other_order(first: str, second: str) -> Change:
    """Two statements, one that calls `first` and one that calls `second`, change places."""

    def change(scope: ast.AST) -> None:
        one = _only(scope, f"statement that calls {first}", lambda node: _calls(node, first))
        two = _only(scope, f"statement that calls {second}", lambda node: _calls(node, second))

        class Swap(ast.NodeTransformer):
            def visit(self, node: ast.AST) -> ast.AST:
                return two if node is one else one if node is two else self.generic_visit(node)

        Swap().visit(scope)

    return change


def _condition(names: str, *, value: bool) -> Change:
    def change(scope: ast.AST) -> None:
        fitting = {id(node): node for node in _conditions(scope) if _mentions(node, names)}
        # The smallest: of `a and b` the operand, when that has all the names.
        inner = {
            key: node
            for key, node in fitting.items()
            if not any(id(below) in fitting for below in ast.walk(node) if below is not node)
        }
        if len(inner) != 1:
            raise Stale(f"{len(inner)} conditions have the names {names} in them, instead of one")
        (place,) = inner.values()
        # What a condition assigns to a name is assigned all the same.
        constant: ast.expr = ast.Constant(value)
        if isinstance(place, ast.NamedExpr):
            constant = ast.NamedExpr(place.target, constant)
        _replace(scope, names, lambda node: node is place, constant)

    return change


def _conditions(scope: ast.AST) -> Iterator[ast.expr]:
    """Every expression that is used as a condition, and the operands of those that are composed."""
    for node in ast.walk(scope):
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            yield node.test
        elif isinstance(node, ast.comprehension):
            yield from node.ifs
        elif isinstance(node, ast.BoolOp):
            yield from node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node.operand
        elif isinstance(node, ast.Return | ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Compare):
            yield node.value


def _call(scope: ast.AST, name: str) -> ast.Call:
    found = _only(scope, f"call of {name}", lambda node: isinstance(node, ast.Call) and _called(node) == name)
    return cast(ast.Call, found)


def _entry(scope: ast.AST, key: str) -> tuple[ast.Dict, int]:
    def number(node: ast.AST) -> int | None:
        keys = node.keys if isinstance(node, ast.Dict) else []
        return next((n for n, each in enumerate(keys) if isinstance(each, ast.Constant) and each.value == key), None)

    place = _only(scope, f"entry {key} of a dict", lambda node: number(node) is not None)
    return cast(ast.Dict, place), cast(int, number(place))


def _calls(node: ast.AST, name: str) -> bool:
    """Whether a node is a statement that is nothing but a call of `name`."""
    call = node.value if isinstance(node, ast.Expr) else None
    call = call.value if isinstance(call, ast.Await) else call
    return isinstance(call, ast.Call) and _called(call) == name


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _targets(node: ast.AST) -> list[str]:
    """The names that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in targets]


def _mentions(node: ast.AST, names: str) -> bool:
    return set(names.split()) <= set(_names(node))


def _names(node: ast.AST) -> Iterator[str]:
    """Every name that occurs below a node: variables, fields, keywords, texts."""
    for below in ast.walk(node):
        if isinstance(below, ast.Name):
            yield below.id
        elif isinstance(below, ast.Attribute):
            yield below.attr
        elif isinstance(below, ast.keyword) and below.arg:
            yield below.arg
        elif isinstance(below, ast.Constant) and isinstance(below.value, str):
            yield below.value


def _only(scope: ast.AST, what: str, fits: Callable[[ast.AST], bool]) -> ast.AST:
    found = [node for node in ast.walk(scope) if fits(node)]
    if len(found) != 1:
        raise Stale(f"There are {len(found)} places instead of one: {what}")
    return found[0]


def _replace(scope: ast.AST, what: str, fits: Callable[[ast.AST], bool], new: ast.AST) -> None:
    place = _only(scope, what, fits)

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is place else self.generic_visit(node)

    Replace().visit(scope)


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
