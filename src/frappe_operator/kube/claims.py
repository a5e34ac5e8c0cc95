"""Permitted changes of an existing PersistentVolumeClaim, and messages about those that are not permitted."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount

Spec = Mapping[str, Any]


def obstacle(claim: str, desired: Spec, live: Spec, owner: str) -> str:
    """A message about the first change from `live` to `desired` that is not permitted; empty when all are.

    `owner`: the kind of the object whose data is in the claim.
    """
    otherwise = f"or move the data to a new {owner} by backup and restore"
    desired_class, live_class = desired.get("storageClassName"), live.get("storageClassName")
    # A claim that was created while the cluster had no default class may still get one.
    if desired_class and live_class and desired_class != live_class:
        was = f"{claim} was created with storage class {live_class}, which is immutable"
        return f"{was}: write storageClassName: {live_class}, {otherwise}"
    desired_modes, live_modes = desired.get("accessModes", []), live.get("accessModes", [])
    if desired_modes and live_modes and set(desired_modes) != set(live_modes):
        was = f"{claim} was created with access mode {', '.join(live_modes)}, which is immutable"
        return f"{was}: write accessMode: {live_modes[0]}, {otherwise}"
    if size(desired) < size(live):
        return f"{claim} has {storage(live)} and cannot shrink to {storage(desired)}: set {storage(live)} or more"
    return ""


def no_expansion(claim: str, desired: Spec, live: Spec, owner: str) -> str:
    """A message about a claim whose StorageClass does not allow volume expansion."""
    name = live.get("storageClassName") or "without a name"
    return (
        f"{claim} cannot grow to {storage(desired)}: its storage class {name} does not allow volume expansion: "
        f"set {storage(live)}, or allowVolumeExpansion on the class if its driver supports it, "
        f"or move the data to a new {owner} by backup and restore"
    )


def possible(desired: Spec, live: Spec, *, bound: bool, keeps_class: bool) -> Manifest:
    """The desired spec, as far as the API server accepts it for a claim with the spec `live`.

    `bound`: whether the claim is bound; only then may it grow. `keeps_class`: include the storage class although the
    desired spec has none: this operator applied it before, so that leaving it out would remove it.
    """
    spec = {**desired, "accessModes": live.get("accessModes", desired.get("accessModes"))}
    if live.get("storageClassName") and (keeps_class or "storageClassName" in desired):
        spec["storageClassName"] = live["storageClassName"]
    if size(desired) < size(live) or (size(desired) > size(live) and not bound):
        spec["resources"] = with_storage(desired, storage(live))
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
