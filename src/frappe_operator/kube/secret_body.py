"""A Secret with its data, read to decide what of it may be remembered."""

from msgspec import Struct


class SecretVersion(Struct, rename="camel", omit_defaults=True):
    """Which Secret it is, and which version of it. Nothing else of its metadata is read: annotations may hold a copy of
    its data."""

    uid: str = ""
    resource_version: str = ""


class SecretBody(Struct):
    """A Secret with its data, decoded from base64."""

    metadata: SecretVersion
    data: dict[str, bytes] = {}
