"""A kind of children: how it is watched, whether a child that is not wanted any more goes, and which verbs it needs."""

from collections.abc import Iterable
from typing import NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.names import OURS


class ChildKind(NamedTuple):
    """One row of the table of a product's child kinds. Watches, pruning and RBAC follow from it."""

    kind: Kind
    verbs: str
    """What the operator does with objects of the kind, beside watching them."""
    pruned: bool
    """Whether a child is deleted when no stage names it any more. Otherwise it stays until its owner is deleted, and a
    retained one even then."""
    labels: str = OURS
    """A label selector: objects that it leaves out are not cached."""
    metadata_only: bool = False
    """Whether only metadata is cached."""
    install: str = ""
    """For a kind that a cluster may lack: what to install, for messages."""


def pruned(children: Iterable[ChildKind]) -> tuple[Kind, ...]:
    """The kinds whose children are deleted when no stage names them any more."""
    return tuple(each.kind for each in children if each.pruned)
