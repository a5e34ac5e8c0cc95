"""Nodes that only say that pods run on them, and volumes in name only: kwok. No root, no Linux, no images."""

import json
from collections.abc import Sequence
from pathlib import Path

from sandbox.binaries import Binaries
from sandbox.control_plane import ControlPlane
from sandbox.processes import Process
from sandbox.progress import Progress
from sandbox.state import State

PROGRAMS = ("kwok",)
NODES = ("simulated-1", "simulated-2")

_STAGES = sorted((Path(__file__).parent / "stages").glob("*.yaml"))
_ANNOTATION, _VALUE = "kwok.x-k8s.io/node", "fake"
_START = 180.0
_STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "sandbox/simulated",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": True,
}


class SimulatedNodes:
    """The simulated nodes of one cluster, whether they are up already or not."""

    def __init__(self, state: State, binaries: Binaries, control: ControlPlane, progress: Progress) -> None:
        """`binaries` holds at least `PROGRAMS`."""
        self._state = state
        self._kwok = binaries["kwok"]
        self._control = control
        self._progress = progress

    def up(self, stages: Sequence[Path] = ()) -> None:
        """Start them and wait until they are ready.

        `stages` are files of kwok's Stage objects that add to those in `sandbox/stages`; where both fit an object,
        one with a `weight` is taken. Raises `ProcessError` if kwok does not start, for one because of a bad stage.
        """
        with self._progress.step(f"Starting {len(NODES)} simulated nodes"):
            kwok = Process(self._state, "kwok")
            kwok.start(
                [
                    self._kwok,
                    f"--kubeconfig={self._control.kubeconfig_for('kwok', ('system:masters',))}",
                    f"--manage-nodes-with-annotation-selector={_ANNOTATION}={_VALUE}",
                    f"--cidr={self._state.addresses.pods}",
                    f"--node-ip={self._state.addresses.gateway}",
                    "--node-lease-duration-seconds=40",
                    *(f"--config={file.absolute()}" for file in (*_STAGES, *stages)),
                ],
                # It would read and make a configuration below HOME.
                env={"HOME": str(self._state.folder("home"))},
            )
            self._control.kubectl("apply", "-f", "-", input=json.dumps(_objects()))
            kwok.wait_until(self._ready, _START, "simulated nodes to be ready")

    def down(self) -> None:
        """End kwok; the nodes go with the cluster's data."""
        Process(self._state, "kwok").stop()

    def _ready(self) -> bool:
        path = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
        return self._control.kubectl("get", "nodes", "-o", f"jsonpath={path}").split() == ["True"] * len(NODES)


def _objects() -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [_STORAGE_CLASS, *(_node(name) for name in NODES)],
    }


def _node(name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {_ANNOTATION: _VALUE},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
    }
