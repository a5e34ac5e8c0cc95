"""An object's metadata as it comes over the wire. Most of it is let go at once."""

from msgspec import Raw, Struct, field

from frappe_operator.kube.live import CONTROLLED_BY_US

ABSENT = Raw(b"")
"""What a field that is not there is read as."""


class ManagedFields(Struct, rename="camel", gc=False):
    """What one manager has set."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    fields: Raw = field(name="fieldsV1", default=Raw(b"{}"))

    @property
    def ours(self) -> bool:
        return self.manager == CONTROLLED_BY_US and self.operation == "Apply" and not self.subresource


class Metadata(Struct, gc=False, rename="camel"):
    """An object's metadata as it comes. What anybody may set stays JSON: most events change none of it."""

    name: str
    uid: str = ""
    namespace: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: Raw = ABSENT
    annotations: Raw = ABSENT
    owner_references: Raw = ABSENT
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFields, ...] = ()
