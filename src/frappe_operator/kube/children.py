"""A kind of children: how it is watched, when a child is deleted, and which verbs the operator needs."""

from collections.abc import Iterable
from typing import NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.names import OURS


class ChildKind(NamedTuple):
    """One row of the table of a product's child kinds. Watches, pruning, deletion and RBAC follow from it."""

    kind: Kind
    verbs: str
    """What the operator does with objects of the kind, beside watching them."""
    pruned: bool
    """Whether a child is deleted when no stage names it any more. Otherwise it stays until its owner is deleted, and a
    retained one even then."""
    stopped_on_deletion: bool = False
    """Whether a child is deleted at the start of its owner's deletion, so that nothing uses the data any more when the
    data is deleted. Otherwise the garbage collector deletes it with its owner."""
    labels: str = OURS
    """A label selector: objects that it leaves out are not cached."""
    metadata_only: bool = False
    """Whether only metadata is cached."""
    install: str = ""
    """For a kind that a cluster may lack: what to install, for messages."""


def stopped_on_deletion(children: Iterable[ChildKind]) -> tuple[Kind, ...]:
    """The kinds whose children are deleted at the start of their owner's deletion."""
    return tuple(each.kind for each in children if each.stopped_on_deletion)


def pruned(children: Iterable[ChildKind]) -> tuple[Kind, ...]:
    """The kinds whose children are deleted when no stage names them any more."""
    return tuple(each.kind for each in children if each.pruned)
