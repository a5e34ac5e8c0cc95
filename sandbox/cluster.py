"""A whole cluster: brought up in tiers, found again while it runs, taken down without a trace."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sandbox import control_plane, simulated_nodes
from sandbox.addons import ADDONS, Addon, check
from sandbox.binaries import KUBERNETES, Binaries
from sandbox.control_plane import ControlPlane
from sandbox.node import Node, obstacle
from sandbox.processes import Process
from sandbox.progress import Progress
from sandbox.simulated_nodes import SimulatedNodes
from sandbox.state import State

Tier = Literal["control-plane", "simulated", "node"]
"""An API server with its controllers; the same with nodes that only say that pods run; or with one that runs them."""

_NODE_PROGRAMS = ("kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "coredns")
_PROGRAMS: dict[str, tuple[str, ...]] = {
    "control-plane": control_plane.PROGRAMS,
    "simulated": (*control_plane.PROGRAMS, *simulated_nodes.PROGRAMS),
    "node": (*control_plane.PROGRAMS, *_NODE_PROGRAMS),
}


def default_tier() -> Tier:
    """The most that this machine can do: a real node, or else simulated ones."""
    return "simulated" if obstacle() else "node"


class DifferentClusterError(Exception):
    """A cluster runs in this folder, but not the one that is asked for."""


class Cluster:
    """The cluster whose state lies in `root`, whether there is one or not."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self.state = State(root)
        self._progress = progress

    @property
    def up_as(self) -> str | None:
        """The tier in which it is completely up with all its processes running; None otherwise."""
        facts = self.state.facts
        running = all(Process(self.state, name).running for name in self.state.processes)
        return facts["tier"] if facts and self.state.complete and running else None

    @functools.cached_property
    def control(self) -> ControlPlane:
        """Its control plane."""
        return ControlPlane(self.state, self._binaries(control_plane.PROGRAMS), self._progress)

    @functools.cached_property
    def node(self) -> Node:
        """Its node, in the tier `node`."""
        return Node(self.state, self._binaries(_PROGRAMS["node"]), self.control, self._progress)

    def addon(self, name: str) -> Addon:
        """One of `sandbox.addons.ADDONS`, in the tier `node`."""
        return ADDONS[name](self.node)

    @property
    def url(self) -> str:
        """Where its API server answers."""
        return self.control.url

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state.kubeconfig

    def kubectl(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess names it
        """Run kubectl as administrator and return its standard output. Raises `KubectlError` when it fails."""
        return self.control.kubectl(*args, input=input)

    def up(self, tier: Tier, stages: Sequence[Path] = (), addons: Sequence[str] = ()) -> None:
        """Bring it up, or say that it is up. What an earlier run left half-done is cleared away first.

        `stages` are further stages of simulated nodes. `addons` are names of `sandbox.addons`; those that a running
        cluster does not have yet are added to it. Raises `DifferentClusterError` when a cluster of another tier
        or with other stages is up here, `BusyError` when somebody else is bringing it up or down, `AddonError` for
        add-ons that cannot be, and whatever goes wrong; then nothing is left behind but the logs, or the cluster that
        was running before.
        """
        check(addons, tier)
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in stages)).hexdigest()
        facts = {"tier": tier, "kubernetes": KUBERNETES, "stages": digest}
        with self.state.locked():
            if self.up_as:
                if self.state.facts != facts:
                    raise DifferentClusterError(
                        f"another cluster is up in {self.state.root} (tier {self.up_as}): take it down first"
                    )
                missing = [name for name in addons if name not in self.state.addons]
                for name in missing:
                    self._add(name)
                if not missing:
                    self._progress.note(f"the cluster in {self.state.root} is already running")
                return
            if self.state.facts or self.state.processes:
                with self._progress.step("Removing what an earlier run left behind"):
                    self._take_down()
            # Before anything is started: a build takes minutes, and is often interrupted.
            self._binaries(_PROGRAMS[tier])
            for name in addons:
                self.addon(name).prepare()
            try:
                with self._progress.step(f"Starting Kubernetes {KUBERNETES} ({', '.join((tier, *addons))})"):
                    self.state.begin(facts)
                    self._bring_up(tier, stages)
                    for name in addons:
                        self._add(name)
                    self.state.finish()
            except BaseException:
                self._take_down()
                raise

    def down(self) -> bool:
        """Take it down, leaving nothing behind but its logs. Returns False if there was nothing to take down."""
        with self.state.locked():
            if not (self.state.facts or self.state.processes):
                return False
            with self._progress.step(f"Removing the cluster in {self.state.root}"):
                self._take_down()
            return True

    def _bring_up(self, tier: Tier, stages: Sequence[Path]) -> None:
        self.control.up()
        if tier == "simulated":
            self._simulated_nodes.up(stages)
        if tier == "node":
            self.node.up()

    def _add(self, name: str) -> None:
        addon = self.addon(name)
        addon.prepare()
        try:
            addon.up()
        except BaseException:
            addon.down()
            raise
        self.state.finish_addon(name, addon.summary)

    def _take_down(self) -> None:
        facts = self.state.facts
        if facts and facts["tier"] == "node":
            self.node.down()
        # In the order that spares them complaints: the youngest first, so clients before the servers they need.
        for name in self.state.processes:
            Process(self.state, name).stop()
        self.state.forget()

    @property
    def _simulated_nodes(self) -> SimulatedNodes:
        return SimulatedNodes(self.state, self._binaries(_PROGRAMS["simulated"]), self.control, self._progress)

    def _binaries(self, programs: Sequence[str]) -> Binaries:
        return Binaries.find(programs, self._progress)
