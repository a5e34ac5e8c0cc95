"""What of a PersistentVolumeClaim can still change once it exists, and what to write where something cannot."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount

Spec = Mapping[str, Any]


def obstacle(claim: str, wanted: Spec, has: Spec, owner: str) -> str:
    """What of a claim's spec cannot become what is wanted, as a sentence; empty when everything can.

    `owner`: the kind of object that the claim holds the data of.
    """
    otherwise = f"or move the data to a new {owner} by backup and restore"
    asked, made = wanted.get("storageClassName"), has.get("storageClassName")
    # A claim that was made while there was no default class may still be given one.
    if asked and made and asked != made:
        was = f"{claim} was created with storage class {made}, which is immutable"
        return f"{was}: write storageClassName: {made}, {otherwise}"
    modes, having = wanted.get("accessModes", []), has.get("accessModes", [])
    if modes and having and set(modes) != set(having):
        was = f"{claim} was created with access mode {', '.join(having)}, which is immutable"
        return f"{was}: write accessMode: {having[0]}, {otherwise}"
    if size(wanted) < size(has):
        return f"{claim} has {storage(has)} and cannot shrink to {storage(wanted)}: set {storage(has)} or more"
    return ""


def no_expansion(claim: str, wanted: Spec, has: Spec, owner: str) -> str:
    """What to write where the claim's StorageClass does not let claims grow."""
    name = has.get("storageClassName") or "without a name"
    return (
        f"{claim} cannot grow to {storage(wanted)}: its storage class {name} does not allow volume expansion: "
        f"set {storage(has)}, or allowVolumeExpansion on the class if its driver supports it, "
        f"or move the data to a new {owner} by backup and restore"
    )


def possible(wanted: Spec, has: Spec, *, bound: bool, keeps_class: bool) -> Manifest:
    """The wanted spec as far as the API server takes it for a claim that has this one.

    `bound`: only then may it grow. `keeps_class`: the class is sent although none is wanted: it was set by us, and to
    leave it out would mean to take it off.
    """
    spec = {**wanted, "accessModes": has.get("accessModes", wanted.get("accessModes"))}
    if has.get("storageClassName") and (keeps_class or "storageClassName" in wanted):
        spec["storageClassName"] = has["storageClassName"]
    if size(wanted) < size(has) or (size(wanted) > size(has) and not bound):
        spec["resources"] = with_storage(wanted, storage(has))
    return spec


def with_storage(spec: Spec, amount_of: str) -> Manifest:
    """`resources` of a claim's spec with another size."""
    resources = spec.get("resources", {})
    return {**resources, "requests": {**resources.get("requests", {}), "storage": amount_of}}


def storage(spec: Spec) -> str:
    """The size a claim's spec asks for, as it is written."""
    return str(spec.get("resources", {}).get("requests", {}).get("storage", "0"))


def size(spec: Spec) -> Decimal:
    """The same as a number; 0 for what is no quantity."""
    try:
        return amount(storage(spec))
    except ValueError:
        return Decimal(0)
