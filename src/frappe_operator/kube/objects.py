"""Manifests, and keys of objects within their kind."""

from typing import Any, NamedTuple

Manifest = dict[str, Any]
"""An object as JSON, to be applied: plain dicts that read like YAML."""


class Key(NamedTuple):
    """Namespace and name of an object: the item of a queue and the argument of a reconcile."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
