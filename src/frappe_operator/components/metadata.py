"""Labels, selectors and metadata of children. Selectors are a fixed subset of the labels and never change."""

from typing import Any

from frappe_operator.api.kinds import BENCH
from frappe_operator.api.labels import BENCH_LABEL, COMPONENT_LABEL, SITE_LABEL
from frappe_operator.kube.live import CONTROLLED_BY_US
from frappe_operator.kube.names import INSTANCE, MANAGED_BY, NAME, RETAINED_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner


def selector(owner: Owner, part: str) -> dict[str, str]:
    """Finds the pods of one component of one bench or site."""
    belongs = BENCH_LABEL if owner.kind is BENCH else SITE_LABEL
    return {belongs: owner.name, COMPONENT_LABEL: part}


def labels(owner: Owner, part: str) -> dict[str, str]:
    """Every label of a child."""
    return {
        MANAGED_BY: CONTROLLED_BY_US,
        NAME: "frappe",
        INSTANCE: owner.name,
        BENCH_LABEL: owner.bench,
        **selector(owner, part),
    }


def metadata(owner: Owner, name: str, part: str, **more: Any) -> Manifest:
    """Metadata of a child. The owner reference is added where it is written."""
    return {"namespace": owner.namespace, "name": name, "labels": labels(owner, part), **more}


def retained(owner: Owner, name: str, part: str) -> Manifest:
    """Metadata of what holds data, or opens it: without an owner reference, so that no garbage collector takes it.

    A deletion in the foreground removes everything that refers to the owner before a finalizer is asked. What must
    outlive its owner belongs to it by its labels alone, and goes only when our own cleanup deletes it.
    """
    result = metadata(owner, name, part)
    result["labels"][RETAINED_LABEL] = "true"
    return result
