"""The control plane refuses what a real one refuses, and writes down who asked."""

import json
import time

import pytest

from sandbox.cluster import Cluster
from sandbox.control_plane import KubectlError
from sandbox.deadline import until

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def namespace(control_plane: Cluster) -> str:
    name = f"control-plane-{time.monotonic_ns()}"
    control_plane.kubectl("create", "namespace", name)
    return name


def test_a_user_may_do_nothing_until_roles_say_so(control_plane: Cluster, namespace: str):
    kubeconfig = control_plane.control.kubeconfig_for("gardener", ("people",))
    asked = ("get", "configmaps", "--namespace", namespace, "--kubeconfig", str(kubeconfig))
    with pytest.raises(KubectlError, match='User "gardener" cannot list resource "configmaps"'):
        control_plane.kubectl(*asked)
    control_plane.kubectl(
        "create", "rolebinding", "people", "--clusterrole=view", "--group=people", "--namespace", namespace
    )
    until(lambda: "kube-root-ca.crt" in shown(control_plane, *asked), 10, "the role to count")


def test_a_service_account_acts_by_its_token_and_the_audit_log_names_it(control_plane: Cluster, namespace: str):
    control_plane.kubectl("create", "serviceaccount", "clerk", "--namespace", namespace)
    control_plane.kubectl(
        "create", "rolebinding", "clerk", "--clusterrole=edit", f"--serviceaccount={namespace}:clerk", "-n", namespace
    )
    kubeconfig = str(control_plane.control.kubeconfig_for_service_account(namespace, "clerk"))
    create = ("create", "configmap", "note", "-n", namespace, "--kubeconfig", kubeconfig)
    until(lambda: "created" in shown(control_plane, *create), 10, "the role to count")

    lines = [json.loads(line) for line in control_plane.state.audit_log.read_text().splitlines()]
    created = [line for line in lines if line["verb"] == "create" and line["responseStatus"]["code"] == 201]
    writers = [
        line["user"]["username"]
        for line in created
        if (line["objectRef"].get("namespace"), line["objectRef"].get("resource")) == (namespace, "configmaps")
        # Each namespace gets one from a controller.
        and line["user"]["username"] != "system:serviceaccount:kube-system:root-ca-cert-publisher"
    ]
    assert writers == [f"system:serviceaccount:{namespace}:clerk"]


def test_pod_security_is_enforced_where_a_namespace_asks_for_it(control_plane: Cluster, namespace: str):
    restricted = f"{namespace}-restricted"
    control_plane.kubectl("create", "namespace", restricted)
    control_plane.kubectl("label", "namespace", restricted, "pod-security.kubernetes.io/enforce=restricted")
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        control_plane.kubectl("run", "pod", "--image=localhost/any", "-n", restricted)


def test_what_an_owner_leaves_is_collected(control_plane: Cluster, namespace: str):
    control_plane.kubectl("create", "deployment", "web", "--image=localhost/any", "-n", namespace)
    until(lambda: "web" in control_plane.kubectl("get", "pods", "-o", "name", "-n", namespace), 20, "its pod to exist")
    control_plane.kubectl("delete", "deployment", "web", "-n", namespace)
    until(lambda: "web" not in control_plane.kubectl("get", "pods", "-o", "name", "-n", namespace), 20, "it to be gone")


def shown(cluster: Cluster, *args: str) -> str:
    """All that kubectl says as the user of the kubeconfig in `args`, refusals included."""
    try:
        return cluster.kubectl(*args)
    except KubectlError as refused:
        return str(refused)
