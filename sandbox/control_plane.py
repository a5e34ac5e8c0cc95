"""The control plane of a cluster: etcd, the API server, the controllers and the scheduler, as plain processes."""

import base64
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from sandbox.binaries import Binaries
from sandbox.certificates import Authority, Certificate
from sandbox.processes import Process
from sandbox.progress import Progress
from sandbox.state import State

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")

_START = 180.0
"""Seconds a process may take until it answers: a few on an idle machine, a minute on one that is overrun."""

_FRONT_PROXY = "front-proxy-client"
"""The name by which the API server is known to the servers of other parts of the API."""

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class KubectlError(Exception):
    """kubectl failed; the message is what it said."""


class ControlPlane:
    """The control plane of the cluster in `state`, whether it runs already or not."""

    def __init__(self, state: State, binaries: Binaries, progress: Progress) -> None:
        """`binaries` holds at least `PROGRAMS`."""
        self.state = state
        self._binaries = binaries
        self._progress = progress

    @property
    def authority(self) -> Authority:
        """Whom all of the cluster trusts: the API server for clients, kubelets for the API server."""
        return Authority(self.state.folder("certificates"))

    @property
    def url(self) -> str:
        """Where the API server answers, on loopback."""
        return f"https://127.0.0.1:{self.state.port('kube-apiserver')}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; it may be moved, certificates are inside."""
        return self.state.kubeconfig

    def up(self) -> None:
        """Start it and wait until it answers and its controllers have begun. Raises `ProcessError` if it does not."""
        authority = self.authority
        self._write_kubeconfig(self.kubeconfig, "admin", authority.issue("admin", "admin", ("system:masters",)))
        with self._progress.step("Starting etcd"):
            self._start_etcd()
        with self._progress.step("Starting kube-apiserver"):
            self._start_api_server(authority)
        with self._progress.step("Starting kube-controller-manager and kube-scheduler"):
            self._start_controllers()

    def down(self) -> None:
        """End its processes, the API server's clients before it."""
        for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
            Process(self.state, name).stop()

    def kubeconfig_for(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig for a user of this name and groups, who may do what RBAC says: nothing, to begin with."""
        file = user.replace(":", "-").replace("/", "-")
        path = self.state.folder("kubeconfigs") / file
        self._write_kubeconfig(path, user, self.authority.issue(file, user, groups))
        return path

    def kubeconfig_for_service_account(self, namespace: str, name: str, hours: int = 24) -> Path:
        """A kubeconfig with a token of an existing service account, valid for `hours`.

        Raises `KubectlError` if there is no such account.
        """
        token = self.kubectl("create", "token", name, "--namespace", namespace, "--duration", f"{hours}h").strip()
        path = self.state.folder("kubeconfigs") / f"{namespace}-{name}-token"
        self._write(path, _kubeconfig(self.url, self.authority.certificate, name, {"token": token}))
        return path

    def kubectl(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess names it
        """Run kubectl as administrator and return its standard output. Raises `KubectlError` when it fails."""
        done = subprocess.run(
            [self._binaries["kubectl"], "--kubeconfig", self.kubeconfig, *args],
            input=input,
            capture_output=True,
            text=True,
            # kubectl keeps what it discovered below HOME; another cluster may have had the same port.
            env={"HOME": str(self.state.folder("home")), "PATH": "/usr/bin:/bin"},
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def _start_etcd(self) -> None:
        url = f"http://127.0.0.1:{self.state.port('etcd')}"
        peers = f"http://127.0.0.1:{self.state.port('etcd-peers')}"
        process = Process(self.state, "etcd")
        process.start(
            [
                self._binaries["etcd"],
                f"--data-dir={self.state.folder('etcd')}",
                f"--listen-client-urls={url}",
                f"--advertise-client-urls={url}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=default={peers}",
                # The data need not survive a crash of the machine, and tests write a lot.
                "--unsafe-no-fsync",
                "--log-level=warn",
            ]
        )
        process.wait_until(lambda: _fetches(f"{url}/health"), _START, "etcd to answer")

    def _start_api_server(self, authority: Authority) -> None:
        addresses = self.state.addresses
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        hosts = (*names, "127.0.0.1", str(addresses.api_service), str(addresses.gateway))
        server = authority.issue("kube-apiserver", "kube-apiserver", hosts=hosts)
        kubelet_client = authority.issue("kube-apiserver-kubelet-client", "kube-apiserver", ("system:masters",))
        private, public = authority.key_pair("service-accounts")
        # An authority of its own: the servers of other parts believe whomever it vouches for about who their user is.
        front = Authority(self.state.folder("front-proxy"))
        proxy = front.issue("kube-apiserver", _FRONT_PROXY)
        policy = self.state.root / "audit-policy.yaml"
        self._write(policy, _AUDIT_POLICY)
        process = Process(self.state, "kube-apiserver")
        process.start(
            [
                self._binaries["kube-apiserver"],
                f"--etcd-servers=http://127.0.0.1:{self.state.port('etcd')}",
                f"--secure-port={self.state.port('kube-apiserver')}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                # It would announce loopback as the endpoint of the Service `kubernetes`, to pods that have their own.
                "--endpoint-reconciler-type=none",
                f"--service-cluster-ip-range={addresses.services}",
                f"--tls-cert-file={server.certificate}",
                f"--tls-private-key-file={server.key}",
                f"--client-ca-file={authority.certificate}",
                f"--service-account-key-file={public}",
                f"--service-account-signing-key-file={private}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--authorization-mode=Node,RBAC",
                "--allow-privileged=true",
                f"--kubelet-client-certificate={kubelet_client.certificate}",
                f"--kubelet-client-key={kubelet_client.key}",
                # Else `kubectl logs` looks the node's name up in DNS.
                "--kubelet-preferred-address-types=InternalIP",
                # It serves parts of the API through other servers, which learn from it whom to believe.
                f"--requestheader-client-ca-file={front.certificate}",
                f"--requestheader-allowed-names={_FRONT_PROXY}",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                f"--proxy-client-cert-file={proxy.certificate}",
                f"--proxy-client-key-file={proxy.key}",
                f"--audit-policy-file={policy}",
                f"--audit-log-path={self.state.audit_log}",
                "--audit-log-maxsize=200",
                "--audit-log-maxbackup=2",
            ]
        )
        process.wait_until(lambda: self._fetches("/readyz"), _START, "the API server to be ready")

    def _start_controllers(self) -> None:
        authority = self.authority
        private = self.state.folder("certificates") / "service-accounts.key"
        for name, flags in (
            (
                "kube-controller-manager",
                (
                    f"--service-account-private-key-file={private}",
                    f"--root-ca-file={authority.certificate}",
                    "--use-service-account-credentials=true",
                    "--allocate-node-cidrs=false",
                    # A claim whose volume is there, and a finished Job, are noticed by watching; these poll.
                    "--pvclaimbinder-sync-period=2s",
                    "--horizontal-pod-autoscaler-sync-period=2s",
                ),
            ),
            ("kube-scheduler", ()),
        ):
            kubeconfig = self.kubeconfig_for(f"system:{name}")
            port = self.state.port(name)
            Process(self.state, name).start(
                [
                    self._binaries[name],
                    f"--kubeconfig={kubeconfig}",
                    f"--authentication-kubeconfig={kubeconfig}",
                    f"--authorization-kubeconfig={kubeconfig}",
                    "--leader-elect=false",
                    # Left at 20 a second, starting takes five seconds, and whoever creates a hundred sites waits.
                    "--kube-api-qps=1000",
                    "--kube-api-burst=2000",
                    "--bind-address=127.0.0.1",
                    f"--secure-port={port}",
                    f"--cert-dir={self.state.folder('certificates')}/{name}",
                    *flags,
                ]
            )
        # Pods are refused until the controllers have made the account they run under.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        Process(self.state, "kube-controller-manager").wait_until(
            lambda: self._fetches(account), _START, "the controllers to begin"
        )

    def _fetches(self, path: str) -> bool:
        trust = ssl.create_default_context(cafile=self.authority.certificate)
        certificates = self.state.folder("certificates")
        trust.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
        return _fetches(self.url + path, trust)

    def _write_kubeconfig(self, path: Path, user: str, issued: Certificate) -> None:
        identity = {
            "client-certificate-data": _base64(issued.certificate),
            "client-key-data": _base64(issued.key),
        }
        self._write(path, _kubeconfig(self.url, self.authority.certificate, user, identity))

    def _write(self, path: Path, content: object) -> None:
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content, sort_keys=False))


def _kubeconfig(url: str, authority: Path, user: str, identity: dict[str, str]) -> dict[str, object]:
    cluster = {"server": url, "certificate-authority-data": _base64(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": user, "user": identity}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user}}],
        "current-context": "sandbox",
    }


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _fetches(url: str, trust: ssl.SSLContext | None = None) -> bool:
    """True if a GET of `url`, a loopback address, is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=trust):  # noqa: S310
            return True
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False
