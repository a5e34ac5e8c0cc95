"""What a mutant is: a bug as a change of one function, and the tests that must catch it."""

import ast
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tests.mutants.changes import Change, Stale

ROOT = Path(__file__).parents[2]
TESTS = Path("tests")


class Mutant(NamedTuple):
    """A bug, ready to be planted."""

    name: str
    bug: str
    """What goes wrong in the world, in a sentence."""
    at: object
    """The function, class or module in which the bug is. A reference, so that renames and type checks include it."""
    change: Change
    caught_by: tuple[str, ...]
    """Tests below `tests`, as pytest names them: one of them must fail."""
    hangs: bool = False
    """The bug is that something never ends: then a run without an end counts."""

    @property
    def path(self) -> Path:
        """The file, from the root of the repository."""
        file = self._module().__file__
        assert file is not None
        return Path(file).relative_to(ROOT)

    @property
    def place(self) -> str:
        """The name of the function or class within its file; empty for the whole module."""
        return "" if isinstance(self.at, ModuleType) else str(getattr(self._definition(), "__qualname__", ""))

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests, from the root of the repository."""
        return tuple(f"{TESTS}/{each}" for each in self.caught_by)

    def _module(self) -> ModuleType:
        return self.at if isinstance(self.at, ModuleType) else sys.modules[self._definition().__module__]

    def _definition(self) -> object:
        """What was written with `def` or `class`: without property and decorators."""
        return inspect.unwrap(getattr(self.at, "fget", None) or getattr(self.at, "func", None) or self.at)  # type: ignore[arg-type]


def planted(mutant: Mutant, root: Path = ROOT) -> str:
    """The file's text with the bug in it. Raises Stale."""
    text = (root / mutant.path).read_text()
    tree = ast.parse(text)
    before = ast.unparse(tree)
    try:
        mutant.change(_scope(tree, mutant.place))
    except Stale as stale:
        raise Stale(f"{mutant.path}, {mutant.place or 'module'}: {stale}: say anew where the bug is") from stale
    changed = ast.unparse(ast.fix_missing_locations(tree))
    if changed == before:
        raise Stale(f"{mutant.path}, {mutant.place or 'module'}: nothing is changed")
    compile(changed, str(mutant.path), "exec", dont_inherit=True)
    return changed


def _scope(tree: ast.Module, place: str) -> ast.AST:
    """The class or function with this qualified name."""
    scope: ast.AST = tree
    for name in place.split(".") if place else []:
        scope = next(
            node
            for node in getattr(scope, "body", [])
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        )
    return scope
