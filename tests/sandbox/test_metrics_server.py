"""Resource metrics on the node: what pods use can be read through the API server, by those who may."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPSConnection

import pytest

from frappe_operator.kube.quantities import amount
from sandbox.addons.metrics_server import RESOLUTION_SECONDS
from sandbox.addons.metrics_server_objects import API, NAME, PORT, USER
from sandbox.cluster import Cluster
from sandbox.control_plane import KubectlError
from sandbox.deadline import until
from tests.sandbox.pods import POD_TIMEOUT, apply, kubectl_for, pod

pytestmark = [pytest.mark.node]

MEASURED_SECONDS = 12.0 * RESOLUTION_SECONDS
"""Mostly two measurements; more on a machine with too much to do, where the kubelet measures late."""


@pytest.fixture(scope="module")
def kubectl(metrics_server: Cluster) -> Iterator[Callable[..., str]]:
    """kubectl in a namespace with a pod that is busy half of the time, and one that has nothing to do."""
    name = f"metrics-{time.monotonic_ns()}"
    metrics_server.kubectl("create", "namespace", name)
    kubectl = kubectl_for(metrics_server, name)
    apply(kubectl, pod("busy", "while :; do timeout 1 sha1sum /dev/zero || sleep 1; done"), pod("idle", "sleep 3600"))
    kubectl("wait", "--for=condition=Ready", "pod/busy", "pod/idle", POD_TIMEOUT)
    yield kubectl
    metrics_server.kubectl("delete", "namespace", name, "--wait=false")


def usage(kubectl: Callable[..., str]) -> dict[str, tuple[float, float]]:
    """CPU and memory of pods, by name, as far as they have been measured."""
    try:
        lines = kubectl("top", "pods", "--no-headers").splitlines()
    except KubectlError as error:
        if "metrics not available" in str(error).lower():
            return {}
        raise
    return {name: (float(amount(cpu)), float(amount(memory))) for name, cpu, memory in map(str.split, lines)}


def test_kubectl_top_shows_what_pods_use(kubectl: Callable[..., str]) -> None:
    def measured() -> bool:
        found = usage(kubectl)
        return "idle" in found and found.get("busy", (0, 0))[0] > 0.05

    until(measured, MEASURED_SECONDS, "a busy and an idle pod to be measured")
    found = usage(kubectl)
    assert found["idle"][0] < found["busy"][0]
    # These pods need less than the unit that is shown.
    node, _, _, memory, _ = kubectl("top", "nodes", "--no-headers").split()
    assert (node, amount(memory) > 0) == ("sandbox", True)


@pytest.mark.parametrize(
    ("allowed", "user", "verb", "kind"),
    [
        (True, USER, "get", "nodes --subresource=metrics"),
        (True, USER, "create", "subjectaccessreviews.authorization.k8s.io"),
        (False, USER, "get", "nodes --subresource=proxy"),
        (False, USER, "list", "secrets"),
        (False, USER, "delete", "pods"),
        (False, "somebody", "list", "pods.metrics.k8s.io"),
    ],
)
def test_it_may_do_what_its_own_roles_say_and_not_everybody_reads_the_figures(
    metrics_server: Cluster, allowed: bool, user: str, verb: str, kind: str
) -> None:
    try:
        said = metrics_server.kubectl("auth", "can-i", verb, *kind.split(), "--all-namespaces", f"--as={user}")
    except KubectlError:
        said = "no"
    assert (said.strip() == "yes") == allowed


def test_it_believes_nobody_but_the_api_server_about_who_a_user_is(metrics_server: Cluster) -> None:
    path = "/apis/metrics.k8s.io/v1beta1/pods"
    assert json.loads(metrics_server.kubectl("get", "--raw", path))["kind"] == "PodMetricsList"
    trust = ssl.create_default_context(cafile=metrics_server.state.folder(NAME) / "ca.crt")
    trust.check_hostname = False
    forged = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}
    with closing(HTTPSConnection(str(metrics_server.node.address), PORT, timeout=10, context=trust)) as client:
        client.request("GET", path, headers=forged)
        assert client.getresponse().status == 403


def test_a_namespace_can_be_deleted_when_it_has_ended(metrics_server: Cluster) -> None:
    addon = metrics_server.addon("metrics-server")
    addon.down()
    try:
        metrics_server.kubectl("create", "namespace", "after-metrics")
        metrics_server.kubectl("delete", "namespace", "after-metrics", "--timeout=60s")
        assert API not in metrics_server.kubectl("get", "apiservices", "--output=name")
    finally:
        addon.up()
    assert metrics_server.up_as == "node"
