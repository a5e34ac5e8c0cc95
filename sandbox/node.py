"""A real node of a cluster, on this machine: its pods are containers that run."""

import json
import os
import platform
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

from sandbox import busybox, debian_packages
from sandbox.binaries import Binaries
from sandbox.cgroups import ControlGroup
from sandbox.containerd import Containerd
from sandbox.control_plane import ControlPlane
from sandbox.dns import Dns
from sandbox.enclosure import HIDDEN, Enclosure, EnclosureError
from sandbox.kubelet import Kubelet
from sandbox.network import Network
from sandbox.progress import Progress
from sandbox.state import State
from sandbox.volumes import Volumes


class NodeError(Exception):
    """There can be no real node here; the message says why."""


class Node:
    """The node of one cluster, whether it is up already or not."""

    def __init__(self, state: State, binaries: Binaries, control: ControlPlane, progress: Progress) -> None:
        """`binaries` holds kubelet, kube-proxy, containerd and its shim, ctr and coredns."""
        self.state = state
        self.control = control
        self.progress = progress
        self.enclosure = Enclosure(state)
        self._network = Network(state, self.enclosure)
        self._containerd = Containerd(state, binaries, self.enclosure)
        self._dns = Dns(state, binaries, control, self.enclosure)
        self._kubelet = Kubelet(state, binaries, control, self.enclosure)
        self._volumes = Volumes(state, control, progress)

    def up(self) -> None:
        """Start it beside a running control plane and wait until pods can run on it.

        Raises `NodeError` where that cannot be, `debian_packages.PackageError`, `ProcessError` or `EnclosureError`
        when something goes wrong; `down` then clears away what was begun.
        """
        if why := obstacle():
            raise NodeError(why)
        if any(self.state.root.is_relative_to(folder) for folder in HIDDEN):
            raise NodeError(f"the cluster's folder {self.state.root} would be hidden from its node: choose another")
        debian_packages.install(self.progress)
        image = busybox.build(self.progress)
        with self.progress.step("Starting containerd"):
            self._control_group.make()
            self.enclosure.up()
            self._network.up()
            self._containerd.up()
            self._containerd.load(image)
        with self.progress.step("Starting kubelet, kube-proxy and CoreDNS"):
            node = self._network.node
            self._kubelet.start(node, self.state.addresses.bridge)
            self._kubelet.start_proxy(node)
            self._dns.start(node)
            self.control.kubectl("apply", "-f", "-", input=json.dumps(self._api_slice(node)))
            self._volumes.up()
            self._kubelet.wait()
            self._dns.wait()

    def down(self) -> None:
        """End it and everything that ran on it. The folders of volumes stay until the cluster's state is forgotten.

        Mends whatever `up` left half-done, too.
        """
        self._volumes.down()
        self._network.down()
        self.enclosure.down()
        self._control_group.remove()

    @property
    def address(self) -> IPv4Address:
        """Its address, that of all processes in its enclosure, as the machine and pods know it."""
        return self._network.node

    def load_image(self, tar: Path) -> None:
        """Give the node the images of an OCI layout. Raises `EnclosureError` with what ctr said."""
        self._containerd.load(tar)

    def pull(self, name: str) -> bool:
        """Fetch an image by its full name from its registry, through the machine's network: the node's own leads
        nowhere. False if that cannot be, for one because the machine cannot reach the registry."""
        try:
            self._containerd.pull(name)
        except EnclosureError as refused:
            self.progress.note(str(refused))
            return False
        return True

    def images(self) -> list[str]:
        """The names of the images that pods can be started from."""
        return self._containerd.images()

    @property
    def _control_group(self) -> ControlGroup:
        # Looked up at each use: a cluster that is taken down and comes up again may be given another name.
        return ControlGroup(self.state.addresses.bridge)

    def _api_slice(self, node: IPv4Address) -> dict[str, object]:
        """What leads from the Service `kubernetes` to the API server's door."""
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [str(node)]}],
            "ports": [{"name": "https", "port": self.state.port("kube-apiserver"), "protocol": "TCP"}],
        }


def obstacle() -> str | None:
    """Why this machine cannot have a real node, as a sentence; None if it can try."""
    if platform.system() != "Linux":
        return "a real node needs Linux: its pods are containers"
    if os.geteuid():
        return "a real node needs root: to make containers, networks and mounts"
    if subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "a real node needs namespaces, and root is not let make any here"
    return None
