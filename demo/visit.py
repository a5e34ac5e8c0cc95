"""How the demo's site is visited from this machine: over HTTPS by the ingress controller of the demo's own cluster, or
through the proxy of the bench on a cluster of somebody else."""

import asyncio
import contextlib
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection
from typing import NamedTuple

from demo.objects import BENCH, HOST, NAMESPACE
from sandbox.addons.contour import IngressController
from sandbox.api_door import hand_on
from sandbox.installation import Kubectl

ANSWER_SECONDS = 30
PORTS = (8443, 0)
"""Ports on this machine that are tried in turn; 0 is any."""


class Visitor(NamedTuple):
    """Somebody on this machine who visits the site."""

    port: int
    """On this machine's loopback."""
    options: str = ""
    """What curl needs in addition."""
    trust: ssl.SSLContext | None = None
    """Whose certificates are accepted; None for http."""

    @property
    def url(self) -> str:
        """The address of the site. Browsers and curl take every name below `localhost` to this machine."""
        return f"{'https' if self.trust else 'http'}://{HOST}:{self.port}"

    def get(self, path: str) -> str:
        """The body of a page."""
        with contextlib.closing(self._connection()) as client:
            client.request("GET", path, headers={"Host": HOST})
            response = client.getresponse()
            body = response.read().decode()
        if response.status != HTTPStatus.OK:
            raise SystemExit(f"{self.url}{path} answers {response.status}: {body[:200]}")
        return body

    def _connection(self) -> HTTPConnection:
        # Not every resolver knows names below `localhost`.
        connected = socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS)
        client = HTTPConnection(HOST, self.port)
        client.sock = self.trust.wrap_socket(connected, server_hostname=HOST) if self.trust else connected
        return client


@contextlib.contextmanager
def over_https(controller: IngressController) -> Iterator[Visitor]:
    """Through the load balancer of an ingress controller, which a port of this machine's loopback leads to."""
    listening = _listening()
    port = listening.getsockname()[1]
    loop = asyncio.new_event_loop()
    task = loop.create_task(hand_on([listening], 443, controller.address))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    authority = controller.authority.certificate
    try:
        trust = ssl.create_default_context(cafile=authority)
        yield Visitor(port, f"--cacert {authority} ", trust)
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(ANSWER_SECONDS)


def _listening() -> socket.socket:
    for port in PORTS[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    return socket.create_server(("127.0.0.1", PORTS[-1]))


@contextlib.contextmanager
def through_the_proxy(kubectl: Kubectl) -> Iterator[Visitor]:
    """Through the Service of the proxy of the bench, by a port-forward."""
    service = f"service/{BENCH}-nginx"
    argv = kubectl.argv("port-forward", f"--namespace={NAMESPACE}", "--address=127.0.0.1", service, ":8080")
    forward = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert forward.stdout is not None
        said = forward.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        if found is None:
            raise SystemExit(f"kubectl port-forward failed: {said}")
        yield Visitor(int(found[1]))
    finally:
        forward.terminate()
        forward.wait()
