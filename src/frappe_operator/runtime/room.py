"""Room for the bodies of children that were not compared yet with what is wanted.

When the operator starts, every child is compared once. The bodies have just come through the watch: those that fit
are kept until then, which spares a request each. What does not fit is asked for again.
"""

from frappe_operator.kube.live import CONTROLLED_BY_US
from frappe_operator.runtime.decoding import Item

MOST_BYTES = 64 * 2**20

APPLIED_BY_US = f'"manager":"{CONTROLLED_BY_US}","operation":"Apply"'.encode()
"""Is in the body of everything that we keep right, and of nothing else."""


class Room:
    """How much of it is taken, over all kinds."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most`: bytes."""
        self.left = most

    def keep(self, item: Item, body: bytes) -> None:
        """Keeps the body with the object, if it is one that will be compared, and if there is room."""
        if APPLIED_BY_US in body and len(body) <= self.left:
            item.body = body
            self.left -= len(body)

    def release(self, item: Item) -> None:
        """The body is not needed any more."""
        if item.body is not None:
            self.left += len(item.body)
            item.body = None
