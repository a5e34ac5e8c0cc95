"""The operator in a cluster: its kinds, its rights, and its process, which has those rights and no others."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from sandbox.binaries import Binaries
from sandbox.cluster import Cluster
from sandbox.control_plane import KubectlError
from sandbox.deadline import until
from sandbox.processes import Process
from sandbox.progress import plain
from sandbox.state import State

NAMESPACE = "frappe-operator"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
STOP_SECONDS = 30.0


class Kubectl:
    """kubectl as one user of one cluster."""

    def __init__(self, program: Path | str, kubeconfig: Path) -> None:
        self.program = str(program)
        self.kubeconfig = kubeconfig

    @classmethod
    def of(cls, cluster: Cluster) -> "Kubectl":
        """The administrator of a cluster of ours."""
        return cls(Binaries.find(["kubectl"], plain())["kubectl"], cluster.kubeconfig)

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl prints. Raises KubectlError with its words."""
        done = subprocess.run(self.argv(*arguments), input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def argv(self, *arguments: str) -> list[str]:
        """The command line, for who wants to run it otherwise."""
        # What kubectl has discovered of one cluster must not be believed of the next on the same port.
        cache = f"--cache-dir={self.kubeconfig.parent / 'kubectl'}"
        return [self.program, f"--kubeconfig={self.kubeconfig}", cache, *arguments]

    def get(self, *arguments: str) -> dict[str, Any]:
        """One object, or a list of them."""
        found: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json"))
        return found

    def apply(self, *manifests: dict[str, Any]) -> None:
        """Server-side apply."""
        self("apply", "--server-side", "--force-conflicts", "-f", "-", given=yaml.safe_dump_all(manifests))


class Operator:
    """The operator as a process on this machine. May be killed and started again; is the same one each time."""

    def __init__(self, kubectl: Kubectl, state: State, *options: str) -> None:
        """`state`: the folder for its process, log and kubeconfig; a cluster's own ends it with the cluster.

        `options` go to `frappe-operator run`.
        """
        self._kubectl = kubectl
        self._options = options
        self._process = Process(state, "frappe-operator")
        self.kubeconfig = state.folder("kubeconfigs") / "frappe-operator"

    def install(self) -> None:
        """Kinds, namespace and rights, as the operator itself prints them."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
        self._kubectl.apply(namespace)
        for command in (["crds"], ["rbac", f"--namespace={NAMESPACE}"]):
            text = subprocess.run(_command(*command), capture_output=True, text=True, check=True).stdout
            self._kubectl("apply", "--server-side", "-f", "-", given=text)
        self._kubectl(
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd",
            "-l",
            "app.kubernetes.io/name=frappe-operator",
        )
        self._write_kubeconfig()

    def start(self) -> None:
        """Starts the process; it becomes ready by itself."""
        options = [f"--kubeconfig={self.kubeconfig}", f"--namespace={NAMESPACE}", "--health-port=0", *self._options]
        self._process.start(_command("run", *options))

    @property
    def running(self) -> bool:
        return self._process.running

    @property
    def log(self) -> Path:
        """What it has said, over all its starts."""
        return self._process.log

    def kill(self) -> None:
        """As a power cut would."""
        if (pid := self._process.pid) is not None:
            os.kill(pid, signal.SIGKILL)
            until(lambda: not self.running, STOP_SECONDS, "the operator to end")

    def stop(self) -> None:
        """As Kubernetes would."""
        self._process.stop(STOP_SECONDS)

    def _write_kubeconfig(self) -> None:
        token = self._kubectl("create", "token", "frappe-operator", f"--namespace={NAMESPACE}", "--duration=24h")
        config = json.loads(self._kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"][0]["user"] = {"token": token.strip()}
        self.kubeconfig.write_text("")
        self.kubeconfig.chmod(0o600)
        self.kubeconfig.write_text(json.dumps(config))


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "frappe_operator.cli", *arguments]
