"""A Secret with its data, decoded to select the part that may be cached."""

from msgspec import Struct


class SecretVersion(Struct, rename="camel", omit_defaults=True):
    """UID and resourceVersion of a Secret. No other metadata is decoded: annotations may contain a copy of the data."""

    uid: str = ""
    resource_version: str = ""


class SecretBody(Struct):
    """A Secret with its data, decoded from base64."""

    metadata: SecretVersion
    data: dict[str, bytes] = {}
