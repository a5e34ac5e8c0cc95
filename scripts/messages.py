"""Finds every message of a condition or report in the source of the operator, by its reason.

It reads the syntax tree and runs nothing. A message is what follows a reason: `Verdict(False, Reason.WAITING, f"…")`,
`Blocked("SecretInvalid", "…")`, `return Reason.SECRET_INVALID, text`. Constants, variables, parameters, fields and
results of functions are followed; what is known only at run time becomes a placeholder such as `<name>`.
"""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parent.parent / "src" / "frappe_operator"
MAKERS = {
    "Verdict": 1,
    "Message": 1,
    "write": 1,
    "Blocked": 0,
    "Waiting": 0,
    "Retry": 0,
    "PodFailure": 0,
    "__init__": 0,
}
"""Types and functions that take a reason and a message, and the position of the reason; the message follows it."""
SEVERAL = ""
"""Stands for the reason of a message whose reason is decided elsewhere, such as that of a Job's report."""
MOST = 24
"""Alternatives of one message. What has more is shown with placeholders."""

METHODS = 4
"""Methods of one name that are followed where the type of the object is not known."""
PLACEHOLDER = re.compile("<[^<>]*>")
ALONE = re.compile("<[^<>]*>|")
"""A text that is a placeholder and nothing else."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Message(NamedTuple):
    """One message, with placeholders."""

    reason: str
    text: str
    where: str
    """File and line."""


class Found(NamedTuple):
    """All messages, and the places where there must be one that cannot be read."""

    messages: list[Message]
    unreadable: list[str]


class Module(NamedTuple):
    """One file."""

    path: str
    tree: ast.Module
    assigned: dict[str, ast.expr]
    functions: dict[str, list[Function]]
    imported: dict[str, tuple[str, str]]
    """By the name in the file: the module it comes from, and its name there."""


class Scope(NamedTuple):
    """Where an expression stands: its module, and the functions around it from the innermost."""

    module: Module
    functions: tuple[Function, ...] = ()


def reasons() -> dict[str, str]:
    """The values of every enum of reasons, by the name of the member. A member may have more than its value."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.ClassDef) and node.name.endswith("Reason")):
                continue
            for each in node.body:
                match each:
                    case ast.Assign(targets=[ast.Name(id=member)], value=ast.Constant(value=str(value))):
                        found[member] = value
                    case ast.Assign(
                        targets=[ast.Name(id=member)], value=ast.Tuple(elts=[ast.Constant(value=str(value)), *_])
                    ):
                        found[member] = value
    return found


def collect() -> Found:
    """Every message in the source."""
    source = Source(reasons())
    found = Found([], [])
    for node, scope in source.nodes:
        source.read(node, scope, found)
    # The same message with placeholders of other names is one.
    unique = {(each.reason, PLACEHOLDER.sub("<>", each.text)): each for each in reversed(found.messages)}
    return Found(sorted(unique.values(), key=lambda each: (each.reason, each.text)), found.unreadable)


class Source:
    """The source of the operator, and what its expressions may say."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.values = set(known.values())
        self.modules = dict(map(_module, sorted(SOURCE.rglob("*.py"))))
        self.nodes = [
            (node, Scope(module, functions))
            for module in self.modules.values()
            for node, functions in _walk(module.tree, ())
        ]
        self.read_already: dict[ast.AST, list[str] | None] = {}
        self.calls: dict[str, list[tuple[ast.Call, Scope]]] = {}
        """By the last name of what is called."""
        for node, scope in self.nodes:
            if isinstance(node, ast.Call):
                self.calls.setdefault(_last(node.func), []).append((node, scope))
        self.fields = {
            node.name: [
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ]
            for node, _ in self.nodes
            if isinstance(node, ast.ClassDef)
        }

    def read(self, node: ast.AST, scope: Scope, found: Found) -> None:
        """Adds the message that a node makes, if it makes one."""
        match node:
            case ast.Tuple(elts=[first, second]):
                if (given := self.reason(first, scope)) and self.texts(second, scope) is not None:
                    self.add(given, second, scope, found)
            case ast.Call(func=called, args=arguments):
                place = MAKERS.get(_last(called))
                reason = next((each for each in arguments if self.reason(each, scope)), None)
                if place is None and reason is not None:
                    # A function that passes both on, such as `_blocked(Reason.INVALID_SPEC, said)`.
                    message = _argument(node, arguments.index(reason) + 1, "message")
                    if self.texts(message, scope) is not None:
                        self.add(self.reason(reason, scope), message, scope, found)
                if place is not None and len(arguments) > place and not isinstance(arguments[place], ast.Starred):
                    message = _argument(node, place + 1, "message")
                    given = self.reason(arguments[place], scope, plain=True)
                    relayed = isinstance(message, ast.Name) and self.is_parameter(arguments[place], scope)
                    written = _last(called) == "write" or self.is_plain(arguments[place])
                    if message is not None and (given or not (relayed or written)):
                        self.add(given or [SEVERAL], message, scope, found)

    def is_parameter(self, reason: ast.expr, scope: Scope) -> bool:
        """Whether a function is given a reason: it is found with its callers."""
        return isinstance(reason, ast.Name) and any(reason.id in _parameters(each) for each in scope.functions)

    def is_plain(self, reason: ast.expr) -> bool:
        """Whether an argument is no reason at all."""
        return isinstance(reason, ast.Constant | ast.JoinedStr | ast.Call)

    def add(self, given: list[str], message: ast.expr | None, scope: Scope, found: Found) -> None:
        """Adds one message for each of its reasons."""
        assert message is not None
        where = f"{scope.module.path}:{message.lineno}"
        texts = self.texts(message, scope)
        if texts is None:
            # A message that another place makes is found there.
            if not _passes_on(message, scope):
                found.unreadable.append(f"{where}: {ast.unparse(message)}")
            return
        found.messages.extend(
            Message(reason, text, where) for reason in given for text in texts if not ALONE.fullmatch(text)
        )

    def reason(self, node: ast.AST, scope: Scope, plain: bool = False) -> list[str]:
        """The reasons that an expression may be; none if it is no reason. `plain`: a text may be one."""
        match node:
            case ast.Attribute(value=ast.Name(id=enum), attr=member) if enum.endswith("Reason"):
                return [self.known[member]] if member in self.known else []
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.reason(body, scope, plain), *self.reason(orelse, scope, plain)]
            case ast.Constant(value=str(text)) if plain and text in self.values:
                return [text]
            case ast.Name(id=name):
                values = [value for function in scope.functions[:1] for value in _reaching(function, name, node)]
                return [each for value in values for each in self.reason(value, scope, plain)]
        return []

    def texts(self, node: ast.AST | None, scope: Scope) -> list[str] | None:
        """What an expression may say; None if nothing of it is known."""
        if node is None:
            return None
        if node not in self.read_already:
            # What says itself, by a detour, says nothing more.
            self.read_already[node] = None
            self.read_already[node] = self.read_now(node, scope)
        return self.read_already[node]

    def read_now(self, node: ast.AST, inner: Scope) -> list[str] | None:
        """The same, worked out."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.Constant(value=int(number)):
                return [f"{number}"]
            case ast.JoinedStr(values=values):
                return self.joined(values, inner)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined([left, right], inner)
            case ast.AugAssign(target=ast.Name() as target, op=ast.Add(), value=value):
                return self.joined([target, value], inner)
            case ast.IfExp(body=body, orelse=orelse):
                return self.either([body, orelse], inner)
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.either(values, inner)
            case ast.NamedExpr(value=value) | ast.Subscript(value=value, slice=ast.Slice()):
                return self.texts(value, inner)
            case ast.Subscript(value=ast.Name() as value):
                return self.either(self.dictionary(value, inner), inner)
            case ast.Call(func=ast.Attribute(value=value, attr="rstrip" | "strip")):
                return self.texts(value, inner)
            case ast.Call(func=ast.Attribute(value=ast.Name() as value, attr="get"), args=[_, default]):
                if values := self.dictionary(value, inner):
                    return self.either([*values, default], inner)
            case ast.Call(func=called):
                return self.returned(self.functions(called, inner), inner)
            case ast.Name(id=name):
                return self.named(name, node, inner)
            case ast.Attribute(attr=name):
                constant = self.constant(node, inner)
                if constant is not None:
                    return self.texts(constant[0], Scope(constant[1]))
                return self.field(name, inner)
        return None

    def joined(self, parts: Sequence[ast.expr], scope: Scope) -> list[str]:
        """Parts one after the other, each with all it may say. A part that may be empty is shown as if it were not."""
        shown = [part.value if isinstance(part, ast.FormattedValue) else part for part in parts]
        alternatives = []
        for part in shown:
            texts = [text for text in self.texts(part, scope) or [] if text]
            phrases = any(" " in text and _has_words(text) for text in texts)
            constant = len(texts) == 1 and "<" not in texts[0]
            alternatives.append(texts if phrases or constant else [f"<{_label(part)}>"])
        if _count(alternatives) > MOST:
            alternatives = [
                texts if len(texts) == 1 else [f"<{_label(part)}>"]
                for part, texts in zip(shown, alternatives, strict=True)
            ]
        return ["".join(each) for each in itertools.product(*alternatives)]

    def either(self, nodes: Sequence[ast.AST], scope: Scope) -> list[str] | None:
        """What one of several expressions may say, with a placeholder for one that is not known."""
        found = [self.texts(node, scope) for node in nodes]
        if all(each is None for each in found):
            return None
        known = zip(nodes, found, strict=True)
        return list(
            dict.fromkeys(text for node, each in known for text in ([f"<{_label(node)}>"] if each is None else each))
        )

    def named(self, name: str, node: ast.AST, scope: Scope) -> list[str] | None:
        """What a variable, a parameter or a constant may say."""
        for function in scope.functions:
            if values := _reaching(function, name, node):
                return self.either(values, scope)
            if name in _parameters(function):
                return self.either_of(self.passed(function, name, scope))
        constant = self.constant(node, scope)
        return None if constant is None else self.texts(constant[0], Scope(constant[1]))

    def passed(self, function: Function, name: str, scope: Scope) -> Iterator[list[str] | None]:
        """What the callers in the same module pass for a parameter."""
        names = [each for each in _parameters(function) if each not in ("self", "cls")]
        for call, where in self.calls.get(function.name, []):
            if where.module is scope.module and function.name != "__init__":
                argument = _argument(call, names.index(name), name) if name in names else None
                yield self.texts(argument, where)

    def field(self, name: str, scope: Scope) -> list[str] | None:
        """What a field of a value type may say, wherever the source gives it, or a property of that name."""
        classes = {
            each: fields.index(name) for each, fields in self.fields.items() if name in fields and name not in COMMON
        }
        found = []
        for made, place in classes.items():
            found += [self.texts(_argument(call, place, name), where) for call, where in self.calls.get(made, [])]
        if classes:
            replaced = [
                (keyword.value, where)
                for call, where in self.calls.get("_replace", [])
                for keyword in call.keywords
                if keyword.arg == name
            ]
            return self.either_of([*found, *(self.texts(value, where) for value, where in replaced)])
        properties = [
            (function, module)
            for module in self.modules.values()
            for function in module.functions.get(name, [])
            if any(_last(each) == "property" for each in function.decorator_list)
        ]
        return self.returned(properties, scope) if len(properties) == 1 else None

    def either_of(self, found: Iterable[list[str] | None]) -> list[str] | None:
        """All texts of several, None if there are none."""
        return list(dict.fromkeys(text for each in found for text in each or [] if text)) or None

    def returned(self, functions: Sequence[tuple[Function, Module]], scope: Scope) -> list[str] | None:
        """What functions may return."""
        found = []
        for function, module in functions:
            inner = Scope(module, (function,))
            values = [
                node.value
                for node, around in _walk(function, ())
                if isinstance(node, ast.Return) and around[:1] == (function,) and not isinstance(node.value, ast.Tuple)
            ]
            found.append(self.either([each for each in values if each is not None], inner) if values else None)
        return self.either_of(found)

    def functions(self, called: ast.expr, scope: Scope) -> list[tuple[Function, Module]]:
        """The functions that a call may mean: of the module, or imported."""
        module = scope.module
        match called:
            case ast.Name(id=name) if name in module.functions:
                return [(each, module) for each in module.functions[name]]
            case ast.Name(id=name):
                where, inside = module.imported.get(name, ("", ""))
            case ast.Attribute(value=ast.Name(id=base), attr=inside) if base in module.imported:
                where = ".".join(module.imported[base])
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in module.functions:
                return [(each, module) for each in module.functions[name]]
            case ast.Attribute(attr=name):
                # A method of another object, of which there are few by that name.
                methods = [(each, other) for other in self.modules.values() for each in other.functions.get(name, [])]
                return methods if len(methods) <= METHODS else []
            case _:
                return []
        other = self.modules.get(where)
        return [(each, other) for each in other.functions.get(inside, [])] if other else []

    def constant(self, node: ast.AST, scope: Scope) -> tuple[ast.expr, Module] | None:
        """A constant of this module or another one, and that module."""
        module = scope.module
        match node:
            case ast.Name(id=name) if name in module.assigned:
                return module.assigned[name], module
            case ast.Name(id=name):
                where, inside = module.imported.get(name, ("", ""))
            case ast.Attribute(value=ast.Name(id=base), attr=inside) if base in module.imported:
                where = ".".join(module.imported[base])
            case _:
                return None
        other = self.modules.get(where)
        return (other.assigned[inside], other) if other and inside in other.assigned else None

    def dictionary(self, name: ast.Name, scope: Scope) -> list[ast.expr]:
        """The values of a dictionary that is written down."""
        values = [value for function in scope.functions[:1] for value in _reaching(function, name.id, name)]
        constant = self.constant(name, scope)
        for value in (*values, *(constant[:1] if constant else ())):
            if isinstance(value, ast.Dict):
                return value.values
        return []


COMMON = frozenset({"name", "message", "reason", "host", "database", "version", "url", "namespace", "kind", "key"})
"""Fields that are values of the user's objects, and are shown as placeholders."""


def _module(path: Path) -> tuple[str, Module]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    functions: dict[str, list[Function]] = {}
    imported: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
        if isinstance(node, Function):
            functions.setdefault(node.name, []).append(node)
        if isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            where = f"{base}.{node.module or ''}".strip(".")
            imported |= {(each.asname or each.name): (where, each.name) for each in node.names}
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return name, Module(str(path.relative_to(SOURCE.parent.parent)), tree, assigned, functions, imported)


def _walk(node: ast.AST, functions: tuple[Function, ...]) -> Iterator[tuple[ast.AST, tuple[Function, ...]]]:
    """A node and all below it, each with the functions around it."""
    yield node, functions
    inner = (node, *functions) if isinstance(node, Function) else functions
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, inner)


def _reaching(function: Function, name: str, use: ast.AST) -> list[ast.AST]:
    """What was assigned to a variable last, before a place in the function; several where branches differ."""
    found: list[ast.AST] = []
    _search(function.body, name, use, found)
    return found


def _search(block: Sequence[ast.stmt], name: str, use: ast.AST, found: list[ast.AST]) -> bool:
    """Looks backwards from `use`. Returns whether the variable certainly has one of the values in `found`."""
    here = next((index for index, each in enumerate(block) if _contains(each, use)), len(block))
    if here < len(block) and not isinstance(block[here], Function):
        statement = block[here]
        for inner in _blocks(statement):
            if any(_contains(each, use) for each in inner) and _search(inner, name, use, found):
                return True
        if values := [each for each in _assignments(statement, name, deep=False) if not _contains(each, use)]:
            found += values
            return True
    for statement in reversed(block[:here]):
        values = _assignments(statement, name, deep=True)
        found += values
        certain = bool(values) and not _blocks(statement) and not isinstance(statement, ast.AugAssign)
        branches = isinstance(statement, ast.If) and [_search(each, name, statement, []) for each in _blocks(statement)]
        if certain or (branches and len(branches) > 1 and all(branches)):
            return True
        if isinstance(statement, ast.AugAssign) and values:
            # Its own left side is looked up from where it stands.
            return True
    return False


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of a compound statement."""
    names = ("body", "orelse", "finalbody")
    blocks = [block for name in names if (block := getattr(statement, name, None))]
    return [*blocks, *(each.body for name in ("handlers", "cases") for each in getattr(statement, name, []))]


def _assignments(statement: ast.stmt, name: str, *, deep: bool) -> list[ast.AST]:
    """What a statement assigns to a variable. `deep`: in its blocks as well."""
    found: list[ast.AST] = []
    for node in _assigning(statement, deep):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                found.append(value)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = zip(targets, values, strict=False)
                found += [value for target, value in pairs if isinstance(target, ast.Name) and target.id == name]
            case ast.AugAssign(target=ast.Name(id=target)) if target == name:
                found.append(node)
            case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
                found.append(value)
    return found


@cache
def _assigning(statement: ast.stmt, deep: bool) -> list[ast.AST]:
    """The nodes of a statement that assign something."""
    nodes = ast.walk(statement) if deep else _shallow(statement)
    return [node for node in nodes if isinstance(node, ast.Assign | ast.AugAssign | ast.NamedExpr)]


def _shallow(statement: ast.stmt) -> Iterator[ast.AST]:
    """A statement without its blocks."""
    inside = {id(node) for block in _blocks(statement) for each in block for node in ast.walk(each)}
    return (node for node in ast.walk(statement) if id(node) not in inside)


def _contains(node: ast.AST, other: ast.AST) -> bool:
    parent: ast.AST | None = other
    while parent is not None and parent is not node:
        parent = getattr(parent, "parent", None)
    return parent is node


def _parameters(function: Function) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    if position < len(call.args):
        return call.args[position]
    return next((each.value for each in call.keywords if each.arg == keyword), None)


def _passes_on(node: ast.expr, scope: Scope) -> bool:
    """Whether a message comes from elsewhere as it is: a parameter, an exception's text, another's message."""
    match node:
        case ast.Attribute(attr="message"):
            return True
        case ast.Name(id=name):
            return any(name in _parameters(function) for function in scope.functions)
        case ast.Call(func=ast.Name(id="str"), args=[argument]):
            return isinstance(argument, ast.Name)
    return False


def _has_words(text: str) -> bool:
    """Whether a text has words of its own beside placeholders."""
    return any(character.isalpha() for character in "".join(part.split(">")[-1] for part in text.split("<")))


def _count(alternatives: Sequence[Sequence[str]]) -> int:
    result = 1
    for each in alternatives:
        result *= len(each)
    return result


def _last(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


NAMES = {
    "live": "name",
    "ref": "object",
    "claim": "object",
    "mine": "owner",
    "blocked": "problem",
    "error": "problem",
    "why": "cause",
    "said": "cause",
    "tail": "last lines",
    "SECRET KEYS": "keys",
    "log tail": "last lines",
    "asked": "value",
    "text": "value",
    "wanted": "desired",
    "has": "present",
    "made": "present",
    "having": "present",
    "inherited": "requests or limits",
    "then": "version",
    "now": "present version",
    "pinned": "present image",
    "trail": "app",
    "odd": "keys",
    "absent": "names",
    "missing": "apps",
    "others": "name",
    "found": "name",
    "objects": "number",
    "how": "cause",
}
"""What placeholders are called, where the name in the source says little to a user."""
UNNAMED = frozenset({"metadata", "owner", "self", "spec", "status"})
"""Parts of an expression that a placeholder does not show."""


def _label(node: ast.AST) -> str:
    """A short name for a value that is known only at run time."""
    name = _name(node)
    return NAMES.get(name, name)


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name):
            return name.strip("_").replace("_", " ")
        case ast.Attribute(value=value, attr="name"):
            return _name(value)
        case ast.Attribute(value=value, attr=name):
            return _name(value) if name in UNNAMED else name.strip("_").replace("_", " ")
        case ast.Call(func=ast.Attribute(attr="join"), args=[argument, *_]) | ast.Call(args=[argument, *_]):
            return _name(argument)
        case ast.Call(func=function):
            return _last(function).strip("_").replace("_", " ")
        case ast.GeneratorExp(generators=[generator, *_]) | ast.ListComp(generators=[generator, *_]):
            return _name(generator.iter)
        case ast.Subscript(value=value) | ast.Await(value=value) | ast.NamedExpr(value=value):
            return _name(value)
        case ast.BinOp(left=left):
            return _name(left)
        case ast.IfExp(body=body):
            return _name(body)
    return "value"
