"""Optional parts of a cluster with a real node: programs that a cluster may have or not, each in a file of its own."""

from collections.abc import Callable, Mapping, Sequence

from sandbox.addons.addon import Addon, AddonError
from sandbox.addons.cert_manager_player import CertManagerPlayer
from sandbox.addons.contour import Contour
from sandbox.addons.metrics_server import MetricsServer
from sandbox.node import Node

ADDONS: Mapping[str, Callable[[Node], Addon]] = {
    "contour": Contour,
    "cert-manager-player": CertManagerPlayer,
    "metrics-server": MetricsServer,
}

__all__ = ["ADDONS", "Addon", "AddonError", "check"]


def check(names: Sequence[str], tier: str) -> None:
    """Raise `AddonError` unless a cluster of this tier can have the add-ons of these names."""
    for name in names:
        if name not in ADDONS:
            raise AddonError(f"there is no add-on {name!r}; known ones: {', '.join(ADDONS)}")
    if names and tier != "node":
        raise AddonError(f"add-ons ({', '.join(names)}) need the tier node, not {tier}")
