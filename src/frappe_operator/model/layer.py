"""An app layer: an app that the image of a bench lacks, built on the common storage."""

from collections.abc import Iterable

from msgspec import Struct


class Layer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A layer that was built."""

    app: str
    key: str
    """Fingerprint of its inputs, and name of its folder."""
    url: str
    ref: str
    """The branch, tag or commit that was requested."""
    commit: str
    version: str = ""
    """Version of the app, empty if it declares none."""
    size: int = 0
    """Bytes."""
    image_key: str = ""
    """Fingerprint of the image for which it was built."""
    request: str = ""
    """Value of the annotation that requested the build."""
    note: str = ""
    """What the layer lacks; empty when it is complete."""


def layer_keys(layers: Iterable[Layer]) -> str:
    """The keys of layers, as one text."""
    return ",".join(layer.key for layer in layers)
