"""What can be asked about the world. A reconcile asks the cluster; `render` and `validate` ask files."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from frappe_operator.kube.kinds import Kind, KindOf
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Manifest

L = TypeVar("L", bound=Live)


class View(Protocol):
    """What there is: known without asking, or read."""

    def get(self, kind: KindOf[L], namespace: str, name: str) -> L | None:
        """An object as it is known."""

    def all(self, kind: KindOf[L]) -> list[L]:
        """All objects of a kind, as they are known."""

    def select(self, kind: KindOf[L], index: str, value: str) -> list[L]:
        """The objects that an index of the kind has under a value."""

    async def list(self, kind: Kind, namespace: str, labels: str) -> list[Manifest]:
        """The whole objects with these labels as they are now."""

    async def body(
        self, kind: Kind, namespace: str, name: str, keep: Callable[[bytes], bytes] | None = None
    ) -> Manifest | None:
        """The whole of a known object, or what `keep` leaves of it."""

    async def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The whole object as it is now."""
