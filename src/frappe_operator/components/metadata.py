"""Labels, selectors and metadata of children. Selectors are a fixed subset of the labels and never change."""

from typing import Any

from frappe_operator.api.labels import BENCH_LABEL, COMPONENT_LABEL, owner_label
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.names import INSTANCE, MANAGED_BY, NAME, RETAINED_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner


def selector(owner: Owner, part: str) -> dict[str, str]:
    """The labels that select the pods of one component of one owner."""
    return {owner_label(owner.kind): owner.name, COMPONENT_LABEL: part}


def labels(owner: Owner, part: str, selects: dict[str, str] | None = None) -> dict[str, str]:
    """All labels of a child. `selects`: replaces the labels of `selector`."""
    return {
        MANAGED_BY: OPERATOR_NAME,
        NAME: "frappe",
        INSTANCE: owner.name,
        BENCH_LABEL: owner.bench,
        **(selector(owner, part) if selects is None else selects),
    }


def metadata(owner: Owner, name: str, part: str, **more: Any) -> Manifest:
    """Metadata of a child, without the owner reference, which is added when the child is applied."""
    return {"namespace": owner.namespace, "name": name, "labels": labels(owner, part), **more}


def retained(owner: Owner, name: str, part: str) -> Manifest:
    """Metadata of a retained child, which contains data or gives access to it.

    A retained child has no owner reference: a foreground deletion removes all objects that refer to the owner before
    the finalizer of the operator runs. Labels connect it to its owner, and only the cleanup of the operator deletes it.
    """
    result = metadata(owner, name, part)
    result["labels"][RETAINED_LABEL] = "true"
    return result
