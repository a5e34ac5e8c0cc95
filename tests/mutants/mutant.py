"""What a mutant is: a bug as a change of one file, and the tests that must catch it."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCE = Path("src/frappe_operator")
TESTS = Path("tests")


class Stale(Exception):
    """The mutant does not fit the code any more. The message says what to do."""


class Mutant(NamedTuple):
    """A bug, ready to be planted."""

    name: str
    bug: str
    """What goes wrong in the world, in a sentence."""
    file: str
    """Below `src/frappe_operator`."""
    old: str
    """Occurs exactly once in the file. As short as it can be, so that it lives long."""
    new: str
    caught_by: tuple[str, ...]
    """Tests below `tests`, as pytest names them: one of them must fail."""
    hangs: bool = False
    """The bug is that something never ends: then a run without an end counts."""

    @property
    def path(self) -> Path:
        """The file, from the root of the repository."""
        return SOURCE / self.file

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests, from the root of the repository."""
        return tuple(f"{TESTS}/{each}" for each in self.caught_by)


def planted(mutant: Mutant, root: Path = ROOT) -> str:
    """The file's text with the bug in it. Raises Stale."""
    path = root / mutant.path
    if not path.is_file():
        raise Stale(f"{mutant.path} does not exist: name the file that has taken over what it did")
    text = path.read_text()
    times = text.count(mutant.old)
    if times != 1:
        raise Stale(
            f"{mutant.path} has this {times} times instead of once: find the bug's place anew\n{_indented(mutant.old)}"
        )
    changed = text.replace(mutant.old, mutant.new)
    if changed == text:
        raise Stale("old and new are the same: nothing is planted")
    try:
        compile(changed, str(mutant.path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Stale(f"{mutant.path} is no program with the bug in it: {error}") from error
    return changed


def _indented(text: str) -> str:
    return "\n".join(f"    | {line}" for line in text.splitlines())
