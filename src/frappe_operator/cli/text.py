"""Objects as YAML that people like to read."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

AMBIGUOUS = re.compile(r"[yYnN]|[-+]?\.?[0-9][0-9_.:eE+-]*|0o[0-7]+")
"""Words that some reader of YAML takes for a boolean, a number or a time although PyYAML does not."""


class Dumper(yaml.SafeDumper):
    """Text of several lines stands as it is; lists are indented; nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Dumper, text: str) -> yaml.Node:
    # Some characters that nobody sees end a line for some readers of YAML.
    unseen = not all(character.isprintable() or character in "\n\t" for character in text)
    style = '"' if unseen or AMBIGUOUS.fullmatch(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def document(value: Any, comment: str = "") -> str:
    """One object as a document, `comment` above it."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    body = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{head}{body}"


def stream(documents: Iterable[Any]) -> str:
    """Objects one after the other."""
    return "".join(document(value) for value in documents)
