"""The address of the API server and the credentials for it: from a kubeconfig, or from the pod's service account."""

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from frappe_operator.runtime.client.errors import AccessError
from frappe_operator.runtime.client.exec_plugin import ExecPlugin, exec_plugin

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
Section = dict[str, tuple[Path, dict[str, Any]]]
"""Entries of a kubeconfig by name, each with the folder its relative paths start from."""
NOT_SUPPORTED = ("auth-provider", "username", "password")


class Access(NamedTuple):
    """The address of the API server and the credentials for it. Files are named, not read: they may change."""

    server: str
    ca_file: Path | None = None
    ca_data: str = ""
    verify: bool = True
    server_name: str = ""
    certificate: bytes = b""
    """Client certificate and key, PEM; empty when a token is used."""
    key: bytes = b""
    token: str = ""
    token_file: Path | None = None
    plugin: ExecPlugin | None = None
    """A program that prints the credentials; nothing else proves the identity then."""
    namespace: str = "default"
    """The namespace of the kubeconfig's context, or of the pod."""

    def files(self) -> list[Path]:
        """Files whose change demands new connections."""
        return [self.ca_file] if self.ca_file else []

    def tls(self) -> ssl.SSLContext | None:
        """The trusted authorities and the client certificate, from the files as they are now. None for plain HTTP."""
        if not self.server.startswith("https:"):
            return None
        if self.verify:
            # An empty `cadata` is an error, an absent one means the machine's own authorities.
            context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data or None)
        else:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            # Python loads certificates from files only; this one is its owner's alone, and gone at once.
            with tempfile.NamedTemporaryFile() as pem:
                pem.write(self.certificate + b"\n" + self.key)
                pem.flush()
                context.load_cert_chain(pem.name)
        return context

    def bearer(self) -> str:
        """The token as it is now, empty when there is none. Raises OSError when its file cannot be read."""
        return self.token_file.read_text().strip() if self.token_file else self.token


def find(kubeconfig: str = "", environ: Mapping[str, str] = os.environ) -> Access:
    """The kubeconfig given, else `$KUBECONFIG`, else the pod's service account, else `~/.kube/config`.

    Raises AccessError.
    """
    named = kubeconfig or environ.get("KUBECONFIG", "")
    if named:
        paths = [Path(each) for each in named.split(os.pathsep) if each]
        existing = [path for path in paths if path.is_file()]
        if not existing:
            raise AccessError(f"There is no kubeconfig at {named}")
        return from_kubeconfig(existing)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster(environ)
    home = Path(environ.get("HOME", "/")) / ".kube" / "config"
    if home.is_file():
        return from_kubeconfig([home])
    raise AccessError(
        "No cluster: name a kubeconfig (--kubeconfig or KUBECONFIG), or run in a pod with a service account"
    )


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """The pod's service account. Raises AccessError when it is not mounted."""
    token, ca, namespace = folder / "token", folder / "ca.crt", folder / "namespace"
    if not token.is_file() or not ca.is_file():
        raise AccessError(f"The pod's service account is not mounted at {folder}: set automountServiceAccountToken")
    host = environ["KUBERNETES_SERVICE_HOST"]
    host = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{host}:{environ.get('KUBERNETES_SERVICE_PORT', '443')}",
        ca_file=ca,
        token_file=token,
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
    )


def from_kubeconfig(paths: list[Path]) -> Access:
    """The current context of one or more kubeconfig files; of what several name, the first wins.

    Raises AccessError.
    """
    shown = os.pathsep.join(str(path) for path in paths)
    try:
        return _current_context(paths, shown)
    except OSError as error:
        raise AccessError(f"{shown}: {error.filename} cannot be read: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # None of these errors quotes a value, which may be a secret.
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise AccessError(f"{shown} is not a valid kubeconfig: {what}") from error


def _current_context(paths: list[Path], shown: str) -> Access:
    current = ""
    contexts: Section = {}
    clusters: Section = {}
    users: Section = {}
    for path in paths:
        content = _read(path)
        current = current or content.get("current-context") or ""
        for section, into in (("contexts", contexts), ("clusters", clusters), ("users", users)):
            for entry in content.get(section) or []:
                into.setdefault(entry["name"], (path.parent, entry[section[:-1]] or {}))
    if current not in contexts:
        raise AccessError(f"{shown} has no context {current!r}: set current-context")
    _, context = contexts[current]
    if context.get("cluster") not in clusters:
        raise AccessError(f"{shown} has no cluster {context.get('cluster')!r}, which context {current!r} names")
    cluster_folder, cluster = clusters[context["cluster"]]
    user_folder, user = users.get(context.get("user", ""), (Path(), {}))
    refused = [name for name in NOT_SUPPORTED if user.get(name)]
    if refused or cluster.get("proxy-url"):
        what = ", ".join([*refused, *(["proxy-url"] if cluster.get("proxy-url") else [])])
        raise AccessError(f"{shown}: {what} is not supported: use a client certificate, token, tokenFile or exec")
    token_file = user.get("tokenFile")
    ca_file = cluster.get("certificate-authority")
    ca_data = cluster.get("certificate-authority-data")
    return Access(
        server=cluster["server"].rstrip("/"),
        ca_file=cluster_folder / ca_file if ca_file and not ca_data else None,
        ca_data=base64.b64decode(ca_data).decode() if ca_data else "",
        verify=not cluster.get("insecure-skip-tls-verify", False),
        server_name=cluster.get("tls-server-name", ""),
        certificate=_pem(user_folder, user, "client-certificate"),
        key=_pem(user_folder, user, "client-key"),
        token=user.get("token", "") if not token_file else "",
        token_file=user_folder / token_file if token_file else None,
        plugin=exec_plugin(user["exec"], cluster, _pem(cluster_folder, cluster, "certificate-authority"), user_folder)
        if user.get("exec")
        else None,
        namespace=context.get("namespace") or "default",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AccessError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise AccessError(f"{path} is not a kubeconfig")
    return content


def _pem(folder: Path, entry: Mapping[str, Any], name: str) -> bytes:
    if entry.get(f"{name}-data"):
        return base64.b64decode(str(entry[f"{name}-data"]))
    if entry.get(name):
        return Path(folder, str(entry[name])).read_bytes()
    return b""
