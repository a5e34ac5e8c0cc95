"""Read access to objects: of a cluster in a reconcile, of files in `render` and `validate`."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from frappe_operator.kube.kinds import Kind, KindOf
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Manifest

L = TypeVar("L", bound=Live)


class View(Protocol):
    """Read access to objects, cached or from the API server."""

    def get(self, kind: KindOf[L], namespace: str, name: str) -> L | None:
        """The cached object; None when it does not exist."""

    def all(self, kind: KindOf[L]) -> list[L]:
        """All cached objects of a kind."""

    def select(self, kind: KindOf[L], index: str, value: str) -> list[L]:
        """The cached objects with `value` in the index `index` of the kind."""

    def not_installed(self, kind: Kind) -> str:
        """A sentence that says that the cluster does not have a kind and what to do; empty when it has it."""

    async def list(self, kind: Kind, namespace: str, labels: str) -> list[Manifest]:
        """The complete objects that match the label selector, from the API server."""

    async def body(
        self, kind: Kind, namespace: str, name: str, keep: Callable[[bytes], bytes] | None = None
    ) -> Manifest | None:
        """The complete form of a cached object, or the part that `keep` selects; None when it does not exist."""

    async def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The complete object, from the API server; None when it does not exist."""
