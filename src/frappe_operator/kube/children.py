"""A kind of children: how it is watched, when a child is deleted, and which verbs the operator needs."""

from collections.abc import Iterable
from typing import NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.names import OPERATOR_SELECTOR


class ChildKind(NamedTuple):
    """One row of the table of a product's child kinds. Watches, pruning, deletion and RBAC follow from it."""

    kind: Kind
    verbs: str
    """The verbs that the operator needs in addition to list and watch, separated by spaces."""
    pruned: bool
    """Whether a child is deleted when no stage contains it any more. Otherwise it stays until its owner is deleted; a
    retained child outlives its owner."""
    stopped_on_deletion: bool = False
    """Whether a child is deleted at the start of its owner's deletion, so that nothing uses the data any more when the
    data is deleted. Otherwise the garbage collector deletes it with its owner."""
    labels: str = OPERATOR_SELECTOR
    """Label selector of the objects that are cached."""
    metadata_only: bool = False
    """Whether only metadata is cached."""
    install: str = ""
    """What to install when the cluster does not have the kind, for messages; empty for built-in kinds."""


def stopped_on_deletion(children: Iterable[ChildKind]) -> tuple[Kind, ...]:
    """The kinds whose children are deleted at the start of their owner's deletion."""
    return tuple(each.kind for each in children if each.stopped_on_deletion)


def pruned(children: Iterable[ChildKind]) -> tuple[Kind, ...]:
    """The kinds whose children are deleted when no stage contains them any more."""
    return tuple(each.kind for each in children if each.pruned)
