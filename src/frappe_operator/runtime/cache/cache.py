"""The cached objects of all watched kinds: one store for each kind, and what each of them selects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live, Meta
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.store import Index, Store


class CachedKind(NamedTuple):
    """What is cached of the objects of one kind."""

    kind: Kind
    labels: str = ""
    """A label selector: objects that it leaves out are not cached."""
    fields: str = ""
    """A field selector, likewise."""
    metadata_only: bool = False
    """Nothing but metadata is requested, which is right for Secrets; bodies are read when they are needed."""
    optional: bool = False
    """Whether a kind that is not installed, or may not be read, counts as one without objects; otherwise the operator
    is not ready without it."""
    install: str = ""
    """What to do when the kind is not installed, for messages: `install mariadb-operator`."""
    indices: Mapping[str, Index] = {}
    """By name, the values under which `Cluster.select` finds an object."""


class Cache:
    """The stores of all watched kinds. Informers fill them; the answers to the operator's own requests go in as well,
    so that a reconcile reads its own writes."""

    def __init__(self, kinds: Iterable[CachedKind], namespaces: Sequence[str] = ()) -> None:
        """`namespaces`: the only ones that are watched; empty: all."""
        self.kinds = {each.kind: each for each in kinds}
        self.namespaces = tuple(namespaces)
        self.stores = {each.kind: Store(each.kind, each.indices, self._sibling) for each in self.kinds.values()}
        self.decoders = {
            each.kind: Decoder(
                each.kind.projection, metadata_only=each.metadata_only, cached=self.stores[each.kind].get
            )
            for each in self.kinds.values()
        }

    def _sibling(self, uid: str) -> Live | None:
        """One cached object, of any kind, whose controller has this UID."""
        found = (store.first_owned(uid) for store in self.stores.values())
        return next((live for live in found if live is not None), None)

    def not_installed(self, kind: Kind) -> str:
        """A sentence that says that a cached kind is not installed and what to do; empty when it is installed."""
        if self.stores[kind].installed:
            return ""
        install = self.kinds[kind].install or f"install the CustomResourceDefinition {kind.plural}.{kind.group}"
        return f"{kind.kind} ({kind.api_version}) is not installed in this cluster: {install}"

    def selects(self, kind: Kind, meta: Meta) -> bool:
        """Whether the watch of a cached kind delivers an object. An answer that it would not deliver must stay out of
        the cache: no event would ever remove it. With a field selector only the watch itself can tell."""
        cached = self.kinds[kind]
        in_scope = not self.namespaces or not kind.namespaced or meta.namespace in self.namespaces
        return in_scope and not cached.fields and matches(cached.labels, meta)


def matches(selector: str, meta: Meta) -> bool:
    """Whether an object has the labels that a selector demands. Supported terms, joined by commas: `a=b`, `a!=b`, `a`
    (is set), `!a` (is not set)."""
    labels = dict(zip(meta.labels[::2], meta.labels[1::2], strict=True))
    return all(_matches(term.strip(), labels) for term in selector.split(",") if term.strip())


def _matches(term: str, labels: Mapping[str, str]) -> bool:
    if "!=" in term:
        name, value = term.split("!=", 1)
        return labels.get(name) != value
    if "=" in term:
        name, value = term.split("=", 1)
        return labels.get(name) == value.removeprefix("=")
    if term.startswith("!"):
        return term[1:] not in labels
    return term in labels
