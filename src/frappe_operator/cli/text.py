"""Objects as YAML for people."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

AMBIGUOUS = re.compile(r"[yYnN]|[-+]?\.?[0-9][0-9_.:eE+-]*|0o[0-7]+")
"""Text that some YAML parsers read as a boolean, number or time although PyYAML does not."""


class Dumper(yaml.SafeDumper):
    """Writes text of several lines as literal blocks, indents lists, and uses no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Dumper, text: str) -> yaml.Node:
    # Some invisible characters end a line for some YAML parsers.
    invisible = not all(character.isprintable() or character in "\n\t" for character in text)
    style = '"' if invisible or AMBIGUOUS.fullmatch(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def document(value: Any, comment: str = "") -> str:
    """One object as a YAML document, with `comment` above it."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    body = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{head}{body}"


def stream(documents: Iterable[Any]) -> str:
    """Objects as a stream of YAML documents."""
    return "".join(document(value) for value in documents)
