"""Clusters are brought up once, beside each other, whatever happened before, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from sandbox import slots
from sandbox.__main__ import main
from sandbox.cluster import Cluster, DifferentClusterError
from sandbox.deadline import until
from sandbox.identity import alive
from sandbox.processes import Process, ProcessError
from sandbox.progress import plain

pytestmark = pytest.mark.cluster


@pytest.fixture
def root(tmp_path: Path):
    root = tmp_path / "cluster"
    yield root
    Cluster(root, plain()).down()


def traces(root: Path) -> dict[str, list[str]]:
    """All that a cluster in `root` can leave on the machine."""
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "processes": [command.decode() for command in commands if str(root).encode() in command],
        "mounts": [line for line in mounts if str(root) in line],
        "files": [path.name for path in root.glob("*") if path.name not in ("logs", "lock")],
        "slots": [slot.name for slot in slots.folder().glob("[0-9]*") if slot.read_text() == str(root)],
    }


def test_a_cluster_is_up_once_and_leaves_no_trace(root: Path):
    said = StringIO()
    cluster = Cluster(root, plain(said))
    cluster.up("control-plane")
    pids = {name: Process(cluster.state, name).pid for name in cluster.state.processes}
    assert set(pids) == {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    assert len(traces(root)["processes"]) == len(pids)
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"

    Cluster(root, plain(said)).up("control-plane")
    assert "is already running" in said.getvalue()
    assert {name: Process(cluster.state, name).pid for name in cluster.state.processes} == pids
    with pytest.raises(DifferentClusterError, match="tier control-plane"):
        cluster.up("simulated")

    assert cluster.down()
    assert traces(root) == {"processes": [], "mounts": [], "files": [], "slots": []}
    assert not cluster.down()


def test_two_clusters_run_beside_each_other(root: Path, control_plane: Cluster):
    other = Cluster(root, plain())
    other.up("control-plane")
    other.kubectl("create", "namespace", "only-in-one")
    assert other.url != control_plane.url
    assert "only-in-one" not in control_plane.kubectl("get", "namespaces")
    assert other.down()
    assert control_plane.kubectl("get", "--raw", "/readyz") == "ok"


@pytest.mark.parametrize("process", ["etcd", "kube-scheduler"])
def test_what_a_killed_up_has_left_is_cleared_away_by_the_next(root: Path, process: str):
    script = "import sys, pathlib; from sandbox.cluster import Cluster; from sandbox.progress import plain\n"
    script += "Cluster(pathlib.Path(sys.argv[1]), plain()).up('control-plane')"
    cluster = Cluster(root, plain())
    pid_file = root / "processes" / f"{process}.pid"
    with subprocess.Popen([sys.executable, "-c", script, root], stderr=subprocess.DEVNULL) as killed:
        until(lambda: pid_file.exists() and bool(alive(pid_file.read_text())), 60, f"{process} to be started")
        killed.send_signal(signal.SIGKILL)
    left = [identity.read_text() for identity in (root / "processes").iterdir()]
    assert cluster.up_as is None
    assert len(traces(root)["processes"]) == len(left)

    cluster.up("control-plane")
    assert cluster.up_as == "control-plane"
    assert not any(alive(identity) for identity in left)
    assert len(traces(root)["processes"]) == 4


def test_a_cluster_of_which_a_process_died_is_repaired(root: Path):
    cluster = Cluster(root, plain())
    cluster.up("control-plane")
    pid = Process(cluster.state, "kube-controller-manager").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: cluster.up_as is None, 5, "the cluster to be seen as broken")
    cluster.up("control-plane")
    assert cluster.up_as == "control-plane"


def test_a_cluster_that_cannot_come_up_says_why_and_leaves_only_its_logs(root: Path, tmp_path: Path):
    stage = tmp_path / "stage.yaml"
    stage.write_text("apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\nmetadata: {name: bad}\nspec: {next: 7}\n")
    with pytest.raises(ProcessError, match=r"kwok has ended\n.*kwok.log ends with"):
        Cluster(root, plain()).up("simulated", [stage])
    assert traces(root) == {"processes": [], "mounts": [], "files": [], "slots": []}
    assert (root / "logs" / "kwok.log").exists()


def test_the_command_line_tells_what_is_up_and_what_is_not(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    def sandbox(command: str, *args: str) -> tuple[object, str]:
        """How it ended, and all it said."""
        monkeypatch.setattr(sys, "argv", ["sandbox", command, "--state", str(root), *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, "".join(capfd.readouterr())

    assert sandbox("kubectl", "get", "nodes")[0] == f"there is no cluster in {root}"
    assert sandbox("status")[0] == 1
    assert sandbox("up", "--tier", "control-plane")[0] == 0
    code, said = sandbox("status")
    assert code == 0
    assert f"export KUBECONFIG={root / 'kubeconfig'}" in said
    assert "kube-apiserver" in said
    assert sandbox("kubectl", "get", "namespace", "default", "-o", "name") == (0, "namespace/default\n")
    assert sandbox("kubectl", "get", "namespace", "absent")[0] == 1
    assert "take it down first" in str(sandbox("up", "--tier", "simulated")[0])
    assert sandbox("down")[0] == 0
    assert "no cluster" in sandbox("down")[1]
