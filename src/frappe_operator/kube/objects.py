"""How one object is written, and how it is named within its kind."""

from typing import Any, NamedTuple

Manifest = dict[str, Any]
"""An object as it is written: a plain dict literal that reads like its YAML."""


class Key(NamedTuple):
    """A namespaced name: what a queue holds and a reconcile is given."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
