"""What every add-on can do, and what they have in common."""

from collections.abc import Set
from typing import Protocol

from sandbox.deadline import DeadlineExceededError, until
from sandbox.enclosure import Enclosure

_FREE = 5.0


class AddonError(Exception):
    """There is no such add-on, or it cannot run here; the message says why."""


class Addon(Protocol):
    """A program of others on a cluster's node, whether it runs already or not.

    It is made of the `Node`. Its processes run in the node's enclosure, so whatever ends the node ends them.
    """

    def prepare(self) -> None:
        """Build and fetch into the cache whatever `up` needs: this takes long, and is done before anything starts."""

    def up(self) -> None:
        """Start it on a node that runs, and wait until it can be used. What an earlier `up` left half-done is mended.

        Raises `AddonError`, `KubectlError` or `ProcessError` when something goes wrong; `down` ends what was begun.
        """

    def down(self) -> None:
        """End its processes. Its objects stay in the cluster, for the next `up`."""

    @property
    def summary(self) -> str:
        """What a person has to know to use it, in one line."""


def wait_for_ports(enclosure: Enclosure, ports: Set[int], name: str) -> None:
    """Return once nothing in the node's network listens on `ports`. Raises `AddonError` if something goes on.

    What was just ended may take a moment to be gone.
    """

    def taken() -> Set[int]:
        return ports & enclosure.listening_ports()

    try:
        until(lambda: not taken(), _FREE, "the ports to be free")
    except DeadlineExceededError:
        raise AddonError(f"ports that {name} needs are taken on the node: {sorted(taken())}") from None
