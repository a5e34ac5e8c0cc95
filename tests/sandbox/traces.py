"""What a node has left on the machine."""

import subprocess
from pathlib import Path

from sandbox.cluster import Cluster
from sandbox.identity import describe


def output(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


WRITTEN = (
    "run/containerd/**/*",
    "run/netns/*",
    "var/lib/cni/**/*",
    "var/lib/containerd/*",
    "var/lib/kubelet/*",
    "etc/cni/*",
)
"""Where containerd, kubelets and network plugins write on machines that are theirs."""


def traces(cluster: Cluster, device: str) -> dict[str, list[str]]:
    """All that a node with this network device can leave on the machine, besides processes."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    written = [path for pattern in WRITTEN for path in Path("/").glob(pattern)]
    return {
        "mounts": [line for line in mounts if str(cluster.state.root) in line],
        "devices": [line for line in output("ip", "-oneline", "link") if device in line],
        "routes": [line for line in output("ip", "route") if device in line],
        "control groups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{device}")],
        "folders": [f"{path} {path.lstat().st_mtime_ns}" for path in written],
        "rules": [
            line for line in output("iptables-save") if line.startswith("-A") and ("KUBE" in line or "CNI" in line)
        ],
        "files": [path.name for path in cluster.state.root.glob("*") if path.name not in ("logs", "lock")],
    }


def nothing(before: dict[str, list[str]]) -> dict[str, list[str]]:
    """What `traces` is of a node that left none, on a machine that may have had folders and rules of others."""
    return {"mounts": [], "devices": [], "routes": [], "control groups": [], "files": []} | {
        key: before[key] for key in ("folders", "rules")
    }


def processes_of(cluster: Cluster) -> list[str]:
    """Everything that runs for a cluster: what it started, and all in its node, containers among it."""
    device = cluster.state.addresses.bridge
    found = [(cluster.state.pid_file(name)).read_text() for name in cluster.state.processes]
    for groups in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if f"/{device}/" in groups.read_text():
                found.append(describe(int(groups.parent.name)))
        except OSError:
            continue
    return found
