"""What every add-on can do."""

from typing import Protocol


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
