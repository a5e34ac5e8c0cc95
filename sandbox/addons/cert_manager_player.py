"""A certificate authority that plays cert-manager: the real kinds, and a program of the sandbox that signs."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import certificates
from sandbox.certificates import Authority
from sandbox.node import Node
from sandbox.processes import Process
from sandbox.state import State

CERT_MANAGER = Path(__file__).parent.parent / "crds" / "cert-manager"
"""A folder with the CRDs of cert-manager."""
CLUSTER_ISSUER = "sandbox"
USER = "cert-manager-player"
"""The user of the API that the player is."""
_START = 60.0
_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class CertificateIssuer:
    """What one has to know to have certificates signed, and to check them."""

    cluster_issuer: str
    authority: Authority

    @classmethod
    def of(cls, state: State) -> "CertificateIssuer":
        """That of a cluster which has the add-on."""
        return cls(CLUSTER_ISSUER, certificates.of_websites(state))


class CertManagerPlayer:
    """The player of cert-manager on one cluster's node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._process = Process(node.state, "cert-manager-player")

    @property
    def summary(self) -> str:
        """The issuer, and who signs."""
        issuer = CertificateIssuer.of(self._node.state)
        return f"plays cert-manager: ClusterIssuer {issuer.cluster_issuer}, CA {issuer.authority.certificate}"

    def prepare(self) -> None:
        """Nothing: the program is the sandbox's own."""

    def up(self) -> None:
        """Start it, and wait until it has accepted its issuer."""
        self.down()
        with self._node.progress.step("Starting the player of cert-manager"):
            kinds = f"--filename={CERT_MANAGER}"
            self._apply(kinds)
            self._kubectl("wait", "--for=condition=Established", f"--timeout={_START:g}s", kinds)
            self._apply("--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects()}))
            folder = CertificateIssuer.of(self._node.state).authority.certificate.parent
            kubeconfig = self._node.control.kubeconfig_for(USER)
            program = (sys.executable, "-m", "sandbox.cert_manager_player", kubeconfig, folder)
            # Not by the working directory: whoever enters the enclosure is in its root.
            self._process.start(self._node.enclosure.inside(*program), env={"PYTHONPATH": str(_ROOT)})
            self._process.wait_until(self._accepts_its_issuer, _START, "the player of cert-manager to work")

    def down(self) -> None:
        """End it."""
        self._process.stop()

    def _accepts_its_issuer(self) -> bool:
        condition = "--output=jsonpath={.status.conditions[0].status}"
        return self._node.control.kubectl("get", "clusterissuer", CLUSTER_ISSUER, condition) == "True"

    def _apply(self, *what: str, given: str | None = None) -> None:
        # By the server: the kinds are too large for the annotation that kubectl would keep.
        self._kubectl("apply", "--server-side", "--force-conflicts", *what, given=given)

    def _kubectl(self, *args: str, given: str | None = None) -> None:
        self._node.control.kubectl(*args, input=given)


def _objects() -> list[dict[str, Any]]:
    """Its rights, and a ClusterIssuer as one writes it for a certificate authority."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": USER}
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": metadata,
            "rules": [
                _rule("cert-manager.io", "certificates", "get list watch create patch delete"),
                _rule("cert-manager.io", "issuers clusterissuers", "list watch"),
                _rule("cert-manager.io", "certificates/status issuers/status clusterissuers/status", "patch"),
                _rule("networking.k8s.io", "ingresses", "list watch"),
                # It sets owner references that block the deletion of their Ingress.
                _rule("networking.k8s.io", "ingresses/finalizers", "update"),
                _rule("", "secrets", "get create patch"),
            ],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": USER},
            "subjects": [{"apiGroup": group, "kind": "User", "name": USER}],
        },
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "ClusterIssuer",
            "metadata": {"name": CLUSTER_ISSUER},
            "spec": {"ca": {"secretName": "certificates-of-websites"}},
        },
    ]


def _rule(group: str, resources: str, verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
