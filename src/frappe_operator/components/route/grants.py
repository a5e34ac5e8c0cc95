"""ReferenceGrants of the Gateway API: who is missing one for a reference into another namespace."""

GROUP = "gateway.networking.k8s.io"
NOT_PERMITTED = "RefNotPermitted"
"""The reason of a Gateway for a reference into another namespace that no ReferenceGrant allows."""


def missing_grant(kind: str, namespace: str, to_kind: str, to_namespace: str, to_name: str = "") -> str:
    """What to do about a reference that is not permitted: from objects of `kind` in `namespace` to another one, which
    is not named where nobody may know of it."""
    target = f"{to_kind} {to_name}" if to_name else f"the {to_kind}"
    return (
        f"create a ReferenceGrant in namespace {to_namespace} that allows kind {kind} of group {GROUP} in namespace "
        f"{namespace} to refer to {target}"
    )
