"""metrics-server: the CPU and memory that nodes and pods use, which `kubectl top` and autoscalers read."""

import base64
import json
from contextlib import suppress
from pathlib import Path

from sandbox.addons.addon import wait_for_ports
from sandbox.addons.metrics_server_objects import API, NAME, NAMESPACE, PORT, USER, objects
from sandbox.binaries import METRICS_SERVER_MODULE, Binaries, module_files
from sandbox.certificates import Authority, Certificate
from sandbox.control_plane import KubectlError
from sandbox.node import Node
from sandbox.processes import Process

RESOLUTION_SECONDS = 10
"""Seconds between two measurements, the least that metrics-server accepts. A pod has a figure after two of them."""

_REPOSITORY = "sigs.k8s.io/metrics-server"
_ROLES = "manifests/base/rbac.yaml"
_KUBELET_SECONDS = RESOLUTION_SECONDS - 2
_START = 60.0


class MetricsServer:
    """metrics-server on one cluster's node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._process = Process(node.state, NAME)

    @property
    def summary(self) -> str:
        """What it serves, and how often that changes."""
        return f"`kubectl top pods`, measured every {RESOLUTION_SECONDS} s"

    def prepare(self) -> None:
        """Build it, and fetch the manifests of its module."""
        self._program()
        self._roles()

    def up(self) -> None:
        """Start it and wait until the API server finds it. Its first figures are there two measurements later."""
        self.down()
        wait_for_ports(self._node.enclosure, {PORT}, NAME)
        with self._node.progress.step("Starting metrics-server"):
            # An authority of its own: whomever that of the cluster vouches for is a user of the API.
            authority = Authority(self._node.state.folder(NAME))
            self._apply(f"--filename={self._roles()}")
            self._start(authority.issue("server", NAME, hosts=(f"{NAME}.{NAMESPACE}.svc",)))
            trusted = base64.b64encode(authority.certificate.read_bytes()).decode()
            made = {"apiVersion": "v1", "kind": "List", "items": objects(str(self._node.address), trusted)}
            self._apply("--filename=-", given=json.dumps(made))
            self._process.wait_until(self._available, _START, "metrics-server to be found by the API server")

    def down(self) -> None:
        """End it, and take its part of the API away: while a part does not answer, no namespace can be deleted."""
        self._process.stop()
        with suppress(KubectlError):
            self._kubectl("delete", "apiservice", API, "--ignore-not-found")

    def _start(self, issued: Certificate) -> None:
        kubeconfig = self._node.control.kubeconfig_for(USER)
        self._process.start(
            self._node.enclosure.inside(
                self._program(),
                f"--kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
                *(f"--bind-address={self._node.address}", f"--secure-port={PORT}"),
                *(f"--tls-cert-file={issued.certificate}", f"--tls-private-key-file={issued.key}"),
                *("--kubelet-preferred-address-types=InternalIP", "--kubelet-use-node-status-port"),
                # The kubelet has signed its certificate itself.
                "--kubelet-insecure-tls",
                *(f"--metric-resolution={RESOLUTION_SECONDS}s", f"--kubelet-request-timeout={_KUBELET_SECONDS}s"),
            )
        )
        self._process.wait_until(self._listens, _START, "metrics-server to serve")

    def _listens(self) -> bool:
        return PORT in self._node.enclosure.listening_ports()

    def _available(self) -> bool:
        path = "{.status.conditions[?(@.type=='Available')].status}"
        return self._kubectl("get", "apiservice", API, f"--output=jsonpath={path}") == "True"

    def _program(self) -> Path:
        return Binaries.find([NAME], self._node.progress)[NAME]

    def _roles(self) -> Path:
        """The file with the account and the rights of metrics-server, and the right of people to read the figures."""
        (roles,) = module_files(METRICS_SERVER_MODULE, _REPOSITORY, [_ROLES], self._node.progress)
        return roles

    def _apply(self, *what: str, given: str | None = None) -> None:
        self._kubectl("apply", "--server-side", "--force-conflicts", *what, given=given)

    def _kubectl(self, *args: str, given: str | None = None) -> str:
        return self._node.control.kubectl(*args, input=given)
