"""How a case differs from the base: child by child, as a unified diff.

Owners and children that have another name than in the base are listed as renamed, and compared under their new name. A
child that the base lacks is printed in full, one that the case lacks is named, and an equal one is not mentioned. Each
hunk names the field that it is part of. The base and the difference together determine every byte of the case.
"""

import re
from collections.abc import Iterator
from difflib import unified_diff
from typing import NamedTuple

TITLE = re.compile(r"# (?P<kind>\w+) (?P<name>\S+) · (?P<stage>.*)\n")
"""The first line of each document: whose child it is, and of which stage."""
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
HUNK = re.compile(r"@@ -(\d+)\S* \S+ @@\n")


class Document(NamedTuple):
    """One child as YAML, under its title."""

    text: str

    @property
    def owner(self) -> tuple[str, str]:
        """Kind and name of the object whose child it is."""
        title = self._found(TITLE)
        return title["kind"], title["name"]

    @property
    def kind(self) -> str:
        return self._found(re.compile(r"^kind: (\w+)$", re.M))[1]

    @property
    def name(self) -> str:
        return self._found(re.compile(r"^  name: (\S+)$", re.M))[1]

    @property
    def role(self) -> tuple[str, ...]:
        """What the child is for its owner, whatever the two are called."""
        component = self._found(re.compile(r"^    vyogo.tech/component: (\S+)$", re.M))[1]
        return self.owner[0], self._found(TITLE)["stage"], self.kind, component

    def _found(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.search(self.text)
        assert found is not None, f"{pattern.pattern} does not occur in\n{self.text}"
        return found


def documents(stream: str) -> list[Document]:
    """The documents of a YAML stream."""
    first, *texts = re.split(r"^---\n", stream, flags=re.M)
    assert first == ""
    return [Document(text) for text in texts]


def difference(base: str, case: str) -> str:
    """What a case has that the base has not, and the other way round. Empty when they are equal."""
    owners: dict[tuple[str, str], list[Document]] = {}
    for document in documents(case):
        owners.setdefault(document.owner, []).append(document)
    by_role: dict[tuple[str, ...], Document] = {}
    for document in documents(base):
        assert by_role.setdefault(document.role, document) is document, f"two children are {document.role}"
    renamed: dict[str, str] = {}
    return "".join(line for owner, children in owners.items() for line in _of_owner(owner, children, by_role, renamed))


def _of_owner(
    owner: tuple[str, str], children: list[Document], base: dict[tuple[str, ...], Document], renamed: dict[str, str]
) -> Iterator[str]:
    """How the children of one owner differ. Adds their names to `renamed`, which has those of the owners before it."""
    yield f"======== {' '.join(owner)}: {len(children)} children\n"
    roles = [child.role for child in children]
    names: dict[str, str] = {}
    for child in children:
        if like := base.get(child.role):
            names |= {like.owner[1]: owner[1], like.name: child.name}
    renamed |= names
    yield from (f"renamed: {old} -> {new}\n" for old, new in names.items() if old != new)
    expected = [role for role in base if role[0] == owner[0]]
    yield from (f"missing: {base[role].kind} {base[role].name}\n" for role in expected if role not in roles)
    if roles != [role for role in expected if role in roles]:
        yield from (f"in this order: {child.kind} {child.name}\n" for child in children)
    for child in children:
        like = base.get(child.role)
        yield from _of_child(_with_names(like.text, renamed), child) if like else _new(child)


def _with_names(text: str, names: dict[str, str]) -> str:
    return NAME.sub(lambda found: names.get(found[0], found[0]), text)


def _new(child: Document) -> Iterator[str]:
    yield f"-------- {child.kind} {child.name}, which the base lacks\n"
    yield from (f"+{line}" for line in child.text.splitlines(keepends=True))


def _of_child(before: str, child: Document) -> Iterator[str]:
    old, new = before.splitlines(keepends=True), child.text.splitlines(keepends=True)
    if old == new:
        return
    yield f"-------- {child.kind} {child.name}\n"
    # Without the names of the two files.
    for line in list(unified_diff(old, new, n=1))[2:]:
        hunk = HUNK.fullmatch(line)
        yield f"{line.rstrip()} {_field_around(old, int(hunk[1]))}".rstrip() + "\n" if hunk else line


def _field_around(lines: list[str], number: int) -> str:
    """The path of the field of which a line is part, the first line being number 1."""
    path, indented = "", _indent(lines[number - 1])
    for line in reversed(lines[: number - 1]):
        field = re.match(r" *(- )?([\w./-]+):(.*)", line)
        if field and _indent(line) < indented:
            indented = _indent(line)
            path = f"[{field[3].strip()}]{path}" if field[1] else f".{field[2]}{path}"
    return path.lstrip(".")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
