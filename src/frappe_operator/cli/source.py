"""YAML files as Kubernetes reads them, with the line of every field."""

import contextlib
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Where = tuple[str | int, ...]
"""The path of a field in an object: `("spec", "apps", 0, "name")`."""


class MapKey(str):
    """A key of a map with free keys, which the API server writes in brackets in a path: `limits[cpu]`."""


def spell(where: Where) -> str:
    """A path as the API server writes it: `spec.apps[0].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int | MapKey) else f".{step}" for step in where)
    return text.removeprefix(".")


class Problem(NamedTuple):
    """A problem with a field: its path, and the message of the API server or of the operator."""

    where: Where
    message: str
    hint: str = ""
    """What to write instead; empty when the message says it."""


class Document(NamedTuple):
    """One object of a file."""

    file: str
    lines: Mapping[Where, int]
    value: dict[str, Any]
    problems: tuple[Problem, ...] = ()
    """Problems of the document as YAML."""

    def line(self, where: Where) -> int:
        """The line of a field, or of the nearest enclosing field that is written in the file."""
        while where not in self.lines:
            where = where[:-1]
        return self.lines[where]

    def at(self, problem: Problem) -> str:
        """A problem as a line of text: `file:line: path: message`."""
        place = f"{spell(problem.where)}: " if problem.where else ""
        hint = f" ({problem.hint})" if problem.hint else ""
        return f"{self.file}:{self.line(problem.where)}: {place}{problem.message}{hint}"


class Unreadable(Exception):
    """A file that does not exist or is not YAML. The message begins with `file:line:` if the line is known."""


def read(file: str) -> list[Document]:
    """The objects in a file, `-` for standard input; empty documents are left out. Raises Unreadable."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return [document for node in yaml.compose_all(text, Loader) if (document := _document(file, node))]
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise Unreadable(f"{file}{line}: not YAML: {error.problem or error.context}") from error
    except RecursionError as error:
        raise Unreadable(f"{file}: nested too deeply, or an alias that refers to itself") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"{file}: not YAML: {error}") from error


class Loader(yaml.SafeLoader):
    """Resolves plain scalars as kubectl does: `1:30` and dates are text, `y` is true."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's attribute: ours instead of its own


MAX_VALUES = 1_000_000
"""The most values in one document, aliases expanded. kubectl has such a limit as well."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""An unpaired surrogate, which JSON can represent, and YAML and UTF-8 cannot."""
TAG = "tag:yaml.org,2002:"
SCALARS = {
    "bool": (r"y|Y|n|N|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    "int": (r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)", "-+.0123456789"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}
"""By YAML type, the pattern of its plain scalars and the characters that they can begin with."""

for name, (pattern, first) in SCALARS.items():
    Loader.add_implicit_resolver(TAG + name, re.compile(f"^({pattern})$"), list(first))


def _document(file: str, node: yaml.Node | None) -> Document | None:
    reading = _Reading()
    value = reading.value(node, ()) if node is not None else None
    if value is None:
        return None
    if not isinstance(value, dict):
        reading.problems.append(Problem((), "not an object: write apiVersion, kind, metadata and spec"))
        value = {}
    return Document(file, reading.lines, value, tuple(reading.problems))


class _Reading:
    """Converts YAML nodes to values and records the line of each."""

    def __init__(self) -> None:
        self.lines: dict[Where, int] = {}
        self.problems: list[Problem] = []
        self.loader = Loader("")

    def value(self, node: yaml.Node, where: Where) -> Any:
        self.lines.setdefault(where, node.start_mark.line + 1)
        if len(self.lines) > MAX_VALUES:
            raise yaml.YAMLError(f"more than {MAX_VALUES} values, aliases included")
        match node:
            case yaml.MappingNode():
                return self.mapping(node, where)
            case yaml.SequenceNode():
                return [self.value(item, (*where, index)) for index, item in enumerate(node.value)]
            case _:
                if SURROGATE.search(node.value):
                    raise yaml.MarkedYAMLError(problem="an unpaired surrogate character", problem_mark=node.start_mark)
                return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        written = [key.value for key, _ in node.value]
        for name in {name for name in written if written.count(name) > 1}:
            self.problems.append(
                Problem((*where, name), f'duplicate field "{spell((*where, name))}"', "remove one of them")
            )
        self.loader.flatten_mapping(node)
        result = {}
        for key, value in node.value:
            here = (*where, str(key.value))
            self.lines[here] = key.start_mark.line + 1
            result[str(key.value)] = self.value(value, here)
        return result

    def scalar(self, node: yaml.Node) -> Any:
        if node.tag == TAG + "bool":
            return node.value.lower() in ("y", "yes", "true", "on")
        if node.tag == TAG + "null":
            return None
        if node.tag in (TAG + "int", TAG + "float"):
            # Some text matches a number and is none, such as `0x_` or thousands of digits: it stays text.
            with contextlib.suppress(ValueError):
                return _number(self.loader.construct_object(node))
        return node.value


def _number(value: int | float) -> int | float:
    """A number as kubectl sends it: `1.0` and `1e3` as integers, integers of more than 64 bits as floats."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    try:
        return value if abs(value) < 2**63 else float(value)
    except OverflowError:
        return math.inf
