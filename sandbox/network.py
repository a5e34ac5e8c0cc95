"""The network between the machine, its node and the node's pods.

The node has a network of its own, tied to the machine by one pair of devices. The machine's only traces of it are its
end of the pair and two routes through it, to pods and to Services; they vanish with the node.
"""

import json
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

from sandbox.deadline import until
from sandbox.enclosure import Enclosure, EnclosureError
from sandbox.processes import Process
from sandbox.state import Addresses, State

NODE_DEVICE = "eth0"

_CONFIGURATION = "network"
"""The folder with the CNI's configuration, below the enclosure's."""


class Network:
    """The network of one cluster's node."""

    def __init__(self, state: State, enclosure: Enclosure) -> None:
        self._state = state
        self._enclosure = enclosure
        self._door = Process(state, "api-door")

    # Looked up at each use: a cluster that is taken down and comes up again may be given other addresses.

    @property
    def _addresses(self) -> Addresses:
        return self._state.addresses

    @property
    def _device(self) -> str:
        return self._addresses.bridge

    @property
    def node(self) -> IPv4Address:
        """The node's address: that of the kubelet, of cluster DNS, and of the API server as pods see it."""
        return self._addresses.pods[2]

    def up(self) -> None:
        """Tie the node to the machine, and open the API server's door in the node. Raises `EnclosureError`."""
        self._cut()
        self._tie()
        self._route()
        folder = self._enclosure.folder / _CONFIGURATION
        folder.mkdir(exist_ok=True)
        (folder / "10-sandbox.conflist").write_text(json.dumps(self._pods()))
        self._open_door()

    def down(self) -> None:
        """Close the door and cut the tie."""
        self._door.stop()
        self._cut()

    def _tie(self) -> None:
        peer = ("peer", "name", NODE_DEVICE, "netns", str(self._enclosure.pid))
        _ip("link", "add", self._device, "type", "veth", *peer)
        _ip("address", "add", str(self._addresses.gateway), "peer", f"{self.node}/32", "dev", self._device)
        _ip("link", "set", self._device, "up")
        inside = self._enclosure.run
        inside("ip", "address", "add", str(self.node), "peer", f"{self._addresses.gateway}/32", "dev", NODE_DEVICE)
        inside("ip", "link", "set", NODE_DEVICE, "up")
        inside("ip", "route", "add", "default", "via", str(self._addresses.gateway))

    def _route(self) -> None:
        for there in (self._addresses.pods, self._addresses.services):
            _ip("route", "add", str(there), "via", str(self.node), "dev", self._device)

    def _cut(self) -> None:
        # The kernel takes it away by itself when the node's network goes; which of the two comes first is not known.
        until(self._is_cut, 10, f"the device {self._device} to be gone")

    def _is_cut(self) -> bool:
        device = Path("/sys/class/net") / self._device
        if device.exists():
            subprocess.run(["ip", "link", "delete", self._device], capture_output=True)
        return not device.exists()

    def _open_door(self) -> None:
        self._door.start(
            [
                *(sys.executable, "-m", "sandbox.api_door"),
                f"--network={self._enclosure.namespaces / 'net'}",
                f"--port={self._state.port('kube-apiserver')}",
                *("--address=127.0.0.1", f"--address={self.node}"),
            ],
            cwd=Path(__file__).parent.parent,
        )

    def _pods(self) -> dict[str, object]:
        """Each pod is tied to the node by a pair of devices, without a bridge: so all its traffic is routed, and
        Services work between pods on a kernel that does not filter bridges."""
        pods = self._addresses.pods
        addresses = {
            "subnet": str(pods),
            "rangeStart": str(pods[16]),
            "rangeEnd": str(pods[-2]),
            "gateway": str(pods[3]),
        }
        return {
            "cniVersion": "1.0.0",
            # What the CNI keeps outside the enclosure bears this name.
            "name": self._device,
            "plugins": [
                {
                    "type": "ptp",
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/pod-addresses",
                        "ranges": [[addresses]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise EnclosureError(f"ip {' '.join(words)}: {done.stderr.strip()}")
