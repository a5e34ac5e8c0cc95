"""Contour serves what Ingresses and HTTPRoutes ask for, with the rights it needs only, and ends with its cluster."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from sandbox.addons.contour import DOMAIN, IngressController
from sandbox.addons.contour_objects import USER
from sandbox.certificates import tls_secret
from sandbox.cluster import Cluster
from sandbox.control_plane import KubectlError
from sandbox.deadline import until
from sandbox.progress import plain
from tests.sandbox.pods import POD_TIMEOUT, apply, kubectl_for, pod, service, succeeded
from tests.sandbox.traces import nothing, traces

pytestmark = [pytest.mark.node]

SERVED_SECONDS = 30.0
"""Mostly 0.1 s; more on a machine with too much to do."""


@pytest.fixture(scope="module")
def kubectl(node_cluster: Cluster) -> Iterator[Callable[..., str]]:
    """kubectl in a namespace where the Service `web` leads to a pod that answers."""
    name = f"contour-{time.monotonic_ns()}"
    node_cluster.kubectl("create", "namespace", name)
    kubectl = kubectl_for(node_cluster, name)
    script = "echo here I am >/tmp/index.html; exec httpd -f -p 8080 -h /tmp"
    apply(kubectl, pod("web", script, {"tmp": {"emptyDir": {}}}), service("web", app="web"))
    kubectl("wait", "--for=condition=Ready", "pod/web", POD_TIMEOUT)
    yield kubectl
    node_cluster.kubectl("delete", "namespace", name, "--wait=false")


def answer(contour: IngressController, host: str, *, tls: bool = False) -> tuple[int, bytes] | None:
    """The answer's status and body; None if there is none, or one whose certificate is not valid for the host."""
    try:
        with closing(contour.connect(host, tls=tls)) as client:
            client.request("GET", "/")
            response = client.getresponse()
            return response.status, response.read()
    except (OSError, HTTPException):
        return None


def is_served(contour: IngressController, host: str, *, tls: bool = False) -> None:
    expected = (200, b"here I am\n")
    until(lambda: answer(contour, host, tls=tls) == expected, SERVED_SECONDS, f"{host} to be served")


def ingress(host: str, secret: str) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {
            "ingressClassName": "contour",
            "tls": [{"hosts": [host], "secretName": secret}],
            "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
    }


def route(host: str, contour: IngressController) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web"},
        "spec": {
            "parentRefs": [{"name": contour.gateway_name, "namespace": contour.gateway_namespace}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
        },
    }


def test_an_ingress_is_served_over_http_and_with_its_certificate_over_https(kubectl, contour: IngressController):
    host = "ingress.example.com"
    secret = tls_secret("certificate", contour.authority.tls_pair(host))
    apply(kubectl, secret, ingress(host, "certificate"))
    is_served(contour, host)
    is_served(contour, host, tls=True)
    assert answer(contour, "unknown.example.com") == (404, b"")
    assert answer(contour, "unknown.example.com", tls=True) is None
    path = "jsonpath={.status.loadBalancer.ingress[*].ip}"
    until(lambda: kubectl("get", "ingress", "web", "-o", path) == contour.address, 10, "the Ingress to have an address")


def test_a_route_is_served_by_the_gateway_over_http_and_https(kubectl, contour: IngressController):
    host = f"route.{DOMAIN}"
    apply(kubectl, route(host, contour))
    is_served(contour, host)
    is_served(contour, host, tls=True)
    status = json.loads(kubectl("get", "httproute", "web", "-o", "json"))["status"]
    assert {each["type"]: each["status"] for each in status["parents"][0]["conditions"]} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
    }


def test_pods_reach_the_load_balancer_too(kubectl, contour: IngressController):
    host = f"inside.{DOMAIN}"
    inside = route(host, contour)
    inside["metadata"]["name"] = "inside"
    visit = f"until wget -qO- --header 'Host: {host}' http://{contour.address}/; do :; done"
    apply(kubectl, inside, pod("visitor", visit))
    assert succeeded(kubectl, "visitor") == "here I am\n"


def test_the_cluster_names_the_processes_of_its_add_on(contour: IngressController, node_cluster: Cluster):
    assert {"contour", "envoy"} < set(node_cluster.state.processes)
    assert contour.address in node_cluster.state.addons["contour"]
    assert node_cluster.up_as == "node"


@pytest.mark.parametrize(
    ("allowed", "verb", "kind"),
    [
        (True, "list", "secrets"),
        (True, "update", "ingresses.networking.k8s.io --subresource=status"),
        (False, "update", "ingresses.networking.k8s.io"),
        (False, "create", "secrets"),
        (False, "delete", "gateways.gateway.networking.k8s.io"),
        (False, "list", "pods"),
    ],
)
def test_it_may_do_what_its_own_roles_say(
    contour: IngressController, node_cluster: Cluster, allowed: bool, verb: str, kind: str
):
    try:
        said = node_cluster.kubectl("auth", "can-i", verb, *kind.split(), "--all-namespaces", f"--as={USER}")
    except KubectlError:
        said = "no"
    assert (said.strip() == "yes") == allowed


def programs_of(root: Path) -> set[str]:
    """The programs that run for the cluster in `root`: all are told where its files are."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if any(bytes(root) in word for word in words):
                found.add(Path(words[0].decode()).name)
    return found


def test_nothing_is_left_of_add_ons_when_a_cluster_that_was_killed_half_way_goes(root: Path):
    script = "import sys, pathlib; from sandbox.cluster import Cluster; from sandbox.progress import plain\n"
    script += "Cluster(pathlib.Path(sys.argv[1]), plain()).up('node', addons=['contour', 'metrics-server'])"
    cluster = Cluster(root, plain())
    before = traces(cluster, "-none-")
    with subprocess.Popen([sys.executable, "-c", script, root], stderr=subprocess.DEVNULL) as killed:
        started = {"contour", "envoy", "metrics-server"}
        until(lambda: started <= programs_of(root) or killed.poll() is not None, 120, "add-ons to be started")
        killed.send_signal(signal.SIGKILL)
    device = cluster.state.addresses.bridge
    assert started < programs_of(root)
    assert cluster.down()
    assert programs_of(root) == set()
    assert traces(cluster, device) == nothing(before)
