"""On a real node pods run, find each other and keep what they write; and the machine is as it was when it is gone."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import busybox, slots, volumes
from sandbox.cluster import Cluster
from sandbox.deadline import until
from sandbox.identity import alive
from sandbox.node import NodeError, obstacle
from sandbox.processes import Process
from sandbox.progress import plain
from sandbox.state import State
from tests.sandbox.pods import POD_TIMEOUT, apply, claim, claimed, kubectl_for, pod, service, succeeded
from tests.sandbox.registry import registry
from tests.sandbox.traces import nothing, processes_of, traces

pytestmark = [pytest.mark.node]


@pytest.fixture
def kubectl(node_cluster: Cluster) -> Iterator[Callable[..., str]]:
    """kubectl in a namespace of the test's own, which refuses pods that ask for anything."""
    name = f"node-{time.monotonic_ns()}"
    node_cluster.kubectl("create", "namespace", name)
    node_cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield kubectl_for(node_cluster, name)
    node_cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_a_service_is_found_by_name_from_pods_and_by_address_from_the_machine(kubectl):
    web = pod("web", "echo here I am >/tmp/index.html; exec httpd -f -p 8080 -h /tmp", {"tmp": {"emptyDir": {}}})
    apply(kubectl, web, service("greeting", app="web"))
    kubectl("wait", "--for=condition=Ready", "pod/web", POD_TIMEOUT)
    apply(kubectl, pod("visitor", "until wget -qO- http://greeting/; do :; done"))
    assert succeeded(kubectl, "visitor") == "here I am\n"
    # The way back is the hard one: the pod that answers is the one that asked.
    assert kubectl("exec", "web", "--", "wget", "-qO-", "http://greeting/") == "here I am\n"

    address = kubectl("get", "service", "greeting", "--output", "jsonpath={.spec.clusterIP}")
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        assert answer.read() == b"here I am\n"


def test_pods_reach_the_api_server_and_no_other_names_than_the_clusters(kubectl):
    script = "nc -w 5 kubernetes.default 443 </dev/null && echo open; nslookup example.org || echo unknown"
    apply(kubectl, pod("visitor", script))
    said = succeeded(kubectl, "visitor")
    assert said.startswith("open\n")
    assert "NXDOMAIN" in said
    assert said.endswith("unknown\n")


def test_a_claim_is_shared_by_pods_of_two_users_grows_and_goes_with_all_it_holds(kubectl, node_cluster: Cluster):
    apply(
        kubectl, claim("files", "ReadWriteMany"), pod("one", "echo hello >/files/of-one", {"files": claimed("files")})
    )
    succeeded(kubectl, "one")
    apply(kubectl, pod("other", "cat /files/of-one; mkdir /files/of-other", {"files": claimed("files")}, user=999))
    assert succeeded(kubectl, "other") == "hello\n"

    volume = kubectl("get", "pvc", "files", "--output", "jsonpath={.spec.volumeName}")
    folder = node_cluster.state.root / "volumes" / volume
    assert {path.name: path.stat().st_uid for path in folder.iterdir()} == {"of-one": 1000, "of-other": 999}

    kubectl("patch", "pvc", "files", "--patch", '{"spec": {"resources": {"requests": {"storage": "3Gi"}}}}')
    capacity = "jsonpath={.status.capacity.storage}"
    until(lambda: kubectl("get", "pvc", "files", "--output", capacity) == "3Gi", 10, "the claim to grow")
    assert kubectl("get", "pv", volume, "--output", "jsonpath={.spec.capacity.storage}") == "3Gi"

    kubectl("delete", "pod,pvc", "--all")
    kubectl("wait", "--for=delete", f"pv/{volume}", "--timeout=30s")
    assert not folder.exists()


def test_a_claim_waits_for_its_pod_and_gets_the_access_it_asks_for(kubectl):
    modes = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod")
    apply(kubectl, *(claim(mode.lower(), mode) for mode in modes))
    assert kubectl("get", "pvc", "--output", "jsonpath={.items[*].status.phase}") == "Pending Pending Pending"
    apply(kubectl, pod("user", "true", {mode.lower(): claimed(mode.lower()) for mode in modes}))
    succeeded(kubectl, "user")
    granted = kubectl("get", "pvc", "--output", "jsonpath={.items[*].status.accessModes[0]}")
    assert granted.split() == ["ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]


def test_a_volume_of_a_class_that_retains_stays_when_its_claim_goes(kubectl, node_cluster: Cluster):
    retaining = json.loads(kubectl("get", "storageclass", "standard", "--output", "json"))
    retaining["metadata"] = {"name": "retaining"}
    apply(kubectl, {**retaining, "reclaimPolicy": "Retain"})
    writer = pod("writer", "echo kept >/files/kept", {"files": claimed("files")})
    apply(kubectl, claim("files", "ReadWriteOnce", storageClassName="retaining"), writer)
    succeeded(kubectl, "writer")
    volume = kubectl("get", "pvc", "files", "--output", "jsonpath={.spec.volumeName}")
    kubectl("delete", "pod,pvc", "--all")
    kubectl("wait", f"pv/{volume}", "--for=jsonpath={.status.phase}=Released", "--timeout=30s")
    assert (node_cluster.state.root / "volumes" / volume / "kept").read_text() == "kept\n"
    kubectl("delete", f"pv/{volume}", "storageclass/retaining")


def test_a_claim_that_cannot_be_answered_keeps_no_other_waiting(kubectl):
    doomed = claim("a-doomed-one", "ReadWriteOnce", storageClassName="gone")
    doomed["metadata"]["annotations"] = {"volume.kubernetes.io/storage-provisioner": volumes.PROVISIONER}
    apply(
        kubectl, doomed, claim("files", "ReadWriteOnce"), pod("user", "touch /files/mine", {"files": claimed("files")})
    )
    succeeded(kubectl, "user")


def test_a_changed_configmap_reaches_a_running_pod(kubectl):
    words = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words"}, "data": {"word": "old"}}
    reader = pod(
        "reader", "until grep new /words/word; do sleep 0.1; done", {"words": {"configMap": {"name": "words"}}}
    )
    apply(kubectl, words, reader)
    kubectl("wait", "--for=condition=Ready", "pod/reader", POD_TIMEOUT)
    apply(kubectl, {**words, "data": {"word": "new"}})
    assert succeeded(kubectl, "reader") == "new\n"


def test_a_job_that_fails_says_so_in_its_termination_message(kubectl):
    doomed = pod("doomed", "echo no such site >/dev/termination-log; exit 7")
    apply(kubectl, doomed)
    kubectl("wait", "pod/doomed", "--for=jsonpath={.status.phase}=Failed", POD_TIMEOUT)
    ended = json.loads(kubectl("get", "pod", "doomed", "--output", "json"))["status"]["containerStatuses"][0]["state"]
    assert (ended["terminated"]["exitCode"], ended["terminated"]["message"]) == (7, "no such site\n")


def test_an_image_is_pulled_where_the_machine_reaches_its_registry(node_cluster: Cluster):
    with registry(busybox.build(plain())) as address:
        assert node_cluster.node.pull(f"{address}/some/image:1")
    assert f"{address}/some/image:1" in node_cluster.node.images()
    assert not node_cluster.node.pull(f"{address}/some/image:2")


def run_a_pod(cluster: Cluster) -> None:
    kubectl = kubectl_for(cluster, "default")
    apply(kubectl, claim("files", "ReadWriteOnce"), pod("sleeper", "sleep 1000", {"files": claimed("files")}))
    kubectl("wait", "--for=condition=Ready", "pod/sleeper", POD_TIMEOUT)


def test_the_machine_is_as_it_was_when_a_node_with_pods_is_gone(root: Path, node_cluster: Cluster):
    cluster = Cluster(root, plain())
    tunables = [Path("/proc/sys") / name for name in ("kernel/panic", "vm/overcommit_memory", "net/ipv4/ip_forward")]
    before, settings = traces(cluster, "-none-"), [path.read_text() for path in tunables]
    cluster.up("node")
    run_a_pod(cluster)
    device, running = cluster.state.addresses.bridge, processes_of(cluster)
    assert any("(sleep)" in process for process in running)
    assert traces(cluster, device)["devices"]
    # A second node beside the first one of this run: neither sees the other.
    assert node_cluster.state.addresses.bridge != device
    assert [path.read_text() for path in tunables] == settings
    during = traces(cluster, device)
    assert (during["mounts"], during["folders"], during["rules"]) == ([], before["folders"], before["rules"])

    assert cluster.down()
    assert traces(cluster, device) == nothing(before)
    assert not any(alive(process) for process in running)
    assert node_cluster.kubectl("get", "--raw", "/readyz") == "ok"
    assert node_cluster.node.images()


def test_a_node_of_which_everything_was_killed_leaves_nothing_either(root: Path):
    cluster = Cluster(root, plain())
    before = traces(cluster, "-none-")
    cluster.up("node")
    run_a_pod(cluster)
    device, running = cluster.state.addresses.bridge, processes_of(cluster)
    kubelet = Process(cluster.state, "kubelet").pid
    assert kubelet is not None
    os.kill(kubelet, signal.SIGKILL)
    until(lambda: cluster.up_as is None, 5, "the cluster to be seen as broken")
    for process in running:
        if pid := alive(process):
            os.kill(pid, signal.SIGKILL)
    assert cluster.down()
    assert traces(cluster, device) == nothing(before)
    assert not any(alive(process) for process in running)


@pytest.fixture
def slots_go_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A slot that is given back is never to be had again: another cluster has taken it at once."""
    give_back, taken = slots.give_back, set[Path]()

    def give_back_for_others(root: Path) -> None:
        slot = slots.folder() / str(slots.take(root))
        give_back(root)
        with slots._alone():
            if not slot.exists():
                slot.write_text(str(tmp_path))
                taken.add(slot)

    with monkeypatch.context() as patched:
        patched.setattr(slots, "give_back", give_back_for_others)
        yield
    for slot in taken:
        slot.unlink()


@pytest.mark.usefixtures("slots_go_to_others")
@pytest.mark.parametrize("process", ["enclosure", "kubelet"])
def test_what_a_killed_up_has_left_of_a_node_is_mended_by_the_next_at_other_addresses(root: Path, process: str):
    script = "import sys, pathlib; from sandbox.cluster import Cluster; from sandbox.progress import plain\n"
    script += "Cluster(pathlib.Path(sys.argv[1]), plain()).up('node')"
    cluster = Cluster(root, plain())
    pid_file = root / "processes" / f"{process}.pid"
    with subprocess.Popen([sys.executable, "-c", script, root], stderr=subprocess.DEVNULL) as killed:
        until(lambda: pid_file.exists() and bool(alive(pid_file.read_text())), 60, f"{process} to be started")
        killed.send_signal(signal.SIGKILL)
    left, device = processes_of(cluster), cluster.state.addresses.bridge
    cluster.up("node")
    assert cluster.state.addresses.bridge != device
    assert not any(alive(process) for process in left)
    run_a_pod(cluster)


def test_a_folder_that_the_node_could_not_see_is_refused():
    state = State(Path(f"/run/frappe-operator-sandbox-{os.getpid()}"))
    with pytest.raises(NodeError, match=obstacle() or "choose another"):
        Cluster(state.root, plain()).node.up()
    assert not state.root.exists()
