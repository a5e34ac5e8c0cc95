"""Permitted changes of an existing PersistentVolumeClaim, and messages about those that are not permitted."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount

Spec = Mapping[str, Any]


def obstacle(claim: str, desired: Spec, present: Spec, owner: str) -> str:
    """A message about the first change from `present` to `desired` that is not permitted; empty when all are.

    `owner`: the kind of the object whose data is in the claim.
    """
    otherwise = f"or move the data to a new {owner} by backup and restore"
    desired_class, present_class = desired.get("storageClassName"), present.get("storageClassName")
    # A claim that was created while the cluster had no default class may still get one.
    if desired_class and present_class and desired_class != present_class:
        was = f"{claim} was created with storage class {present_class}, which is immutable"
        return f"{was}: write storageClassName: {present_class}, {otherwise}"
    desired_modes, present_modes = desired.get("accessModes", []), present.get("accessModes", [])
    if desired_modes and present_modes and set(desired_modes) != set(present_modes):
        was = f"{claim} was created with access mode {', '.join(present_modes)}, which is immutable"
        return f"{was}: write accessMode: {present_modes[0]}, {otherwise}"
    if size(desired) < size(present):
        return f"{claim} has {storage(present)} and cannot shrink to {storage(desired)}: set {storage(present)} or more"
    return ""


def no_expansion(claim: str, desired: Spec, present: Spec, owner: str) -> str:
    """A message about a claim whose StorageClass does not allow volume expansion."""
    name = present.get("storageClassName") or "without a name"
    return (
        f"{claim} cannot grow to {storage(desired)}: its storage class {name} does not allow volume expansion: "
        f"set {storage(present)}, or allowVolumeExpansion on the class if its driver supports it, "
        f"or move the data to a new {owner} by backup and restore"
    )


def possible(desired: Spec, present: Spec, *, bound: bool, keeps_class: bool) -> Manifest:
    """The desired spec, as far as the API server accepts it for a claim with the spec `present`.

    `bound`: whether the claim is bound; only then may it grow. `keeps_class`: include the storage class although the
    desired spec has none: this operator applied it before, so that leaving it out would remove it.
    """
    spec = {**desired, "accessModes": present.get("accessModes", desired.get("accessModes"))}
    if present.get("storageClassName") and (keeps_class or "storageClassName" in desired):
        spec["storageClassName"] = present["storageClassName"]
    if size(desired) < size(present) or (size(desired) > size(present) and not bound):
        spec["resources"] = with_storage(desired, storage(present))
    return spec


def with_storage(spec: Spec, amount_of: str) -> Manifest:
    """The field `resources` of the spec of a claim, with another storage request."""
    resources = spec.get("resources", {})
    return {**resources, "requests": {**resources.get("requests", {}), "storage": amount_of}}


def storage(spec: Spec) -> str:
    """The storage request in the spec of a claim as a quantity, `0` without one."""
    return str(spec.get("resources", {}).get("requests", {}).get("storage", "0"))


def size(spec: Spec) -> Decimal:
    """The storage request in the spec of a claim in bytes; 0 when it is not a quantity."""
    try:
        return amount(storage(spec))
    except ValueError:
        return Decimal(0)
