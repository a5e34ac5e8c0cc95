"""Contour, an ingress controller for Ingress and the Gateway API, with Envoy, which carries the traffic."""

import json
import socket
import ssl
import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import yaml

from sandbox import certificates
from sandbox.addons import contour_objects, envoy
from sandbox.addons.addon import AddonError, wait_for_ports
from sandbox.addons.contour_objects import GATEWAY, HTTP_PORT, HTTPS_PORT, INGRESS_CLASS, NAMESPACE, USER
from sandbox.binaries import CONTOUR_MODULE, Binaries, module_files
from sandbox.certificates import Authority
from sandbox.enclosure import INSIDE
from sandbox.node import Node
from sandbox.processes import Process
from sandbox.state import State

DOMAIN = "sandbox.test"
"""The Gateway's own certificate is valid for the names one level below this domain."""

_REPOSITORY = "github.com/projectcontour/contour"
_FILES = ("examples/contour/01-crds.yaml", "examples/contour/02-role-contour.yaml")
GATEWAY_API = Path(__file__).parent.parent / "crds" / "gateway"
"""A folder with the CRDs of the Gateway API."""

# On the loopback of the node's network, but for those of the traffic.
_XDS_PORT, _METRICS_PORT, _DEBUG_PORT, _STATS_PORT = 8001, 8000, 6060, 8002
_PORTS = {HTTP_PORT, HTTPS_PORT, _XDS_PORT, _METRICS_PORT, _DEBUG_PORT, _STATS_PORT}

# Kinds of the Gateway API that this Contour wants in versions, or at all, that the installed API does not have.
_NO_KINDS = ("tlsroutes", "tcproutes", "grpcroutes", "backendtlspolicies")

_START = 60.0
_CONNECT = 5.0


@dataclass(frozen=True)
class IngressController:
    """What one has to know to be served by an ingress controller, and to reach what it serves."""

    address: str
    """The load balancer's address, for HTTP on 80 and HTTPS on 443, from the machine and from pods."""
    ingress_class: str
    gateway_namespace: str
    gateway_name: str
    authority: Authority
    """Who signed the Gateway's certificate, and signs others: `authority.tls_pair(host)`."""

    @classmethod
    def of(cls, state: State) -> "IngressController":
        """That of a cluster which has the add-on."""
        authority = certificates.of_websites(state)
        return cls(str(state.addresses.load_balancer), INGRESS_CLASS, NAMESPACE, GATEWAY, authority)

    def connect(self, host: str, *, tls: bool = False) -> HTTPConnection:
        """A connection to the load balancer, as a client has it for which the DNS says that `host` is there.

        With `tls` the certificate is checked. Raises `OSError`.
        """
        port, kind = (443, HTTPSConnection) if tls else (80, HTTPConnection)
        client = kind(host, timeout=_CONNECT)
        connected = socket.create_connection((self.address, port), timeout=_CONNECT)
        if tls:
            # Closes what it was given if the certificate is not valid.
            trust = ssl.create_default_context(cafile=self.authority.certificate)
            connected = trust.wrap_socket(connected, server_hostname=host)
        client.sock = connected
        return client


class Contour:
    """Contour and Envoy on one cluster's node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._contour = Process(node.state, "contour")
        self._envoy = Process(node.state, "envoy")

    @property
    def controller(self) -> IngressController:
        """How it is used."""
        return IngressController.of(self._node.state)

    @property
    def summary(self) -> str:
        """Address, class, Gateway and certificate authority."""
        known = self.controller
        return (
            f"http(s)://{known.address}, IngressClass {known.ingress_class}, "
            f"Gateway {known.gateway_namespace}/{known.gateway_name}, CA {known.authority.certificate}"
        )

    def prepare(self) -> None:
        """Build Contour, fetch Envoy and the manifests of Contour's module."""
        self._program()
        self._envoy_program()
        self._manifests()

    def up(self) -> None:
        """Start both, and wait until they would serve a route."""
        self.down()
        wait_for_ports(self._node.enclosure, _PORTS, "Contour")
        with self._node.progress.step("Starting Contour and Envoy"):
            self._make_objects()
            trust = Authority(self._folder / "xds")
            self._start_contour(trust)
            self._start_envoy(trust)
            self._kubectl(
                *("wait", f"--namespace={NAMESPACE}", f"gateway/{GATEWAY}"),
                *("--for=condition=Programmed", f"--timeout={_START:g}s"),
            )

    def down(self) -> None:
        """End both."""
        self._envoy.stop()
        self._contour.stop()

    def _make_objects(self) -> None:
        kinds, roles = self._manifests()
        sources = (f"--filename={kinds}", f"--filename={GATEWAY_API}")
        self._apply(*sources)
        self._kubectl("wait", "--for=condition=Established", f"--timeout={_START:g}s", *sources)
        controller = self.controller
        hosts = (f"*.{DOMAIN}", f"*.{controller.address.replace('.', '-')}.nip.io")
        certificate = controller.authority.tls_pair(*hosts)
        made = contour_objects.objects(str(self._node.address), certificate)
        self._apply("--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
        self._apply(f"--filename={roles}")
        # What a cloud does for a Service of type LoadBalancer.
        status = {"loadBalancer": {"ingress": [{"ip": controller.address, "ipMode": "VIP"}]}}
        patch = json.dumps({"status": status})
        self._kubectl("patch", "service", "envoy", f"--namespace={NAMESPACE}", "--subresource=status", f"-p={patch}")

    def _start_contour(self, trust: Authority) -> None:
        issued = trust.issue("contour", "contour", hosts=("contour",))
        configuration = self._folder / "contour.yaml"
        gateway = {"gateway": {"gatewayRef": {"namespace": NAMESPACE, "name": GATEWAY}}}
        configuration.write_text(yaml.safe_dump(gateway))
        self._contour.start(
            self._node.enclosure.inside(
                self._program(),
                "serve",
                f"--config-path={configuration}",
                f"--kubeconfig={self._node.control.kubeconfig_for(USER)}",
                # As the other controllers: left at its default it takes 40 s to write the status of 200 Ingresses.
                *("--kubernetes-client-qps=1000", "--kubernetes-client-burst=2000"),
                "--disable-leader-election",
                *(f"--disable-feature={kind}" for kind in _NO_KINDS),
                f"--ingress-class-name={INGRESS_CLASS}",
                *("--xds-address=127.0.0.1", f"--xds-port={_XDS_PORT}"),
                f"--contour-cafile={trust.certificate}",
                f"--contour-cert-file={issued.certificate}",
                f"--contour-key-file={issued.key}",
                *("--http-address=127.0.0.1", f"--http-port={_METRICS_PORT}"),
                *("--health-address=127.0.0.1", f"--health-port={_METRICS_PORT}"),
                *("--debug-http-address=127.0.0.1", f"--debug-http-port={_DEBUG_PORT}"),
                *("--stats-address=127.0.0.1", f"--stats-port={_STATS_PORT}"),
                *(f"--envoy-service-http-address={self._node.address}", f"--envoy-service-http-port={HTTP_PORT}"),
                *(f"--envoy-service-https-address={self._node.address}", f"--envoy-service-https-port={HTTPS_PORT}"),
                *(f"--envoy-service-namespace={NAMESPACE}", "--envoy-service-name=envoy"),
            )
        )
        # Envoy would wait a while between its attempts.
        self._contour.wait_until(lambda: self._listens(_XDS_PORT), _START, "Contour to serve")

    def _start_envoy(self, trust: Authority) -> None:
        issued = trust.issue("envoy", "envoy")
        configuration = self._folder / "envoy.json"
        made = subprocess.run(
            [
                *(self._program(), "bootstrap", configuration),
                # A short path, because those of sockets are limited.
                f"--admin-address={INSIDE}/envoy-admin.sock",
                *("--xds-address=127.0.0.1", f"--xds-port={_XDS_PORT}"),
                f"--envoy-cafile={trust.certificate}",
                f"--envoy-cert-file={issued.certificate}",
                f"--envoy-key-file={issued.key}",
            ],
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise AddonError(f"contour bootstrap: {made.stderr.strip()}")
        self._envoy.start(
            self._node.enclosure.inside(
                self._envoy_program(),
                *("--config-path", configuration),
                *("--service-cluster", NAMESPACE, "--service-node", "envoy"),
                *("--concurrency", "1"),
                # With it a file outlives the process in /dev/shm.
                "--disable-hot-restart",
                *("--log-level", "warn"),
            )
        )
        # Contour has told it to listen there; to the ports of the traffic it listens as soon as there is a route.
        self._envoy.wait_until(lambda: self._listens(_STATS_PORT), _START, "Envoy to be configured")

    def _listens(self, port: int) -> bool:
        return port in self._node.enclosure.listening_ports()

    @property
    def _folder(self) -> Path:
        return self._node.state.folder("contour")

    def _program(self) -> Path:
        return Binaries.find(["contour"], self._node.progress)["contour"]

    def _envoy_program(self) -> Path:
        return envoy.program(self._node.progress)

    def _manifests(self) -> list[Path]:
        """The files with Contour's kinds and with the rights it needs."""
        return module_files(CONTOUR_MODULE, _REPOSITORY, _FILES, self._node.progress)

    def _apply(self, *what: str, given: str | None = None) -> None:
        # By the server: the kinds are too large for the annotation that kubectl would keep.
        self._kubectl("apply", "--server-side", "--force-conflicts", *what, given=given)

    def _kubectl(self, *args: str, given: str | None = None) -> None:
        self._node.control.kubectl(*args, input=given)
