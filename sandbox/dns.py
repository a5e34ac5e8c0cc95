"""Cluster DNS: CoreDNS as a process in the node's network, behind the Service that pods are told to ask."""

import json
import socket
import struct
from ipaddress import IPv4Address

from sandbox.binaries import Binaries
from sandbox.control_plane import ControlPlane
from sandbox.enclosure import Enclosure
from sandbox.processes import Process
from sandbox.state import State

DOMAIN = "cluster.local"

_START = 30.0

_COREFILE = """
{domain} in-addr.arpa ip6.arpa {{
    bind {address}
    ready {address}:8181
    errors
    cache 5
    kubernetes {domain} in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
}}
. {{
    bind {address}
    errors
    # There is nobody to ask about other names; said at once, lest clients ask again and again.
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


class Dns:
    """The DNS of one cluster with a node."""

    def __init__(self, state: State, binaries: Binaries, control: ControlPlane, enclosure: Enclosure) -> None:
        """`binaries` holds coredns."""
        self._state = state
        self._coredns = binaries["coredns"]
        self._control = control
        self._enclosure = enclosure
        self._process = Process(state, "coredns")

    def start(self, node: IPv4Address) -> None:
        """Start it at the node's address, and make the Service that leads there."""
        corefile = self._enclosure.folder / "Corefile"
        kubeconfig = self._control.kubeconfig_for("coredns", ("system:masters",))
        corefile.write_text(_COREFILE.format(domain=DOMAIN, address=node, kubeconfig=kubeconfig))
        self._process.start(self._enclosure.inside(self._coredns, "-conf", corefile))
        made = {
            "apiVersion": "v1",
            "kind": "List",
            "items": [_service(self._state.addresses.dns_service), _slice(node)],
        }
        self._control.kubectl("apply", "-f", "-", input=json.dumps(made))

    def wait(self) -> None:
        """Return once the Service answers, asked from the machine. Raises `ProcessError` if it does not."""
        service = str(self._state.addresses.dns_service)
        known = f"kubernetes.default.svc.{DOMAIN}"
        self._process.wait_until(lambda: resolves(known, service), _START, "cluster DNS to answer")


def resolves(name: str, server: str) -> bool:
    """True if the DNS server at the address `server` has an IPv4 address for `name`."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    # Header: an id, "recursion desired", one question. Question: the name, type A, class IN. See RFC 1035, 4.1.
    question = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        try:
            asking.sendto(question, (server, 53))
            flags, _, answers = struct.unpack("!2x3H4x", asking.recv(512)[:12])
        except OSError:
            return False
    return (int(flags) & 0xF, int(answers) > 0) == (0, True)


def _service(address: IPv4Address) -> dict[str, object]:
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": str(address), "ports": ports},
    }


def _slice(node: IPv4Address) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(node)]}],
        "ports": [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
    }
