"""The MariaDB of a bench, as its administrator sees it and as a power cut ends it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frappe_operator.components.mariadb import ROOT, SOCKET
from sandbox.control_plane import KubectlError
from tests.e2e.namespace import Namespace, process_of

HOLD_SECONDS = 3600
WAITS, SLEEPS = "Waiting for table metadata lock", "User sleep"
"""States of a session."""
_SESSIONS = "SELECT USER, CONCAT(STATE, ': ', INFO) FROM information_schema.PROCESSLIST"


def database_of(namespace: Namespace, site: str) -> str:
    """Name of the database of a site, and of its user."""
    return str(namespace.get("fs", site)["status"]["databaseName"])


def sessions(namespace: Namespace, bench: str, user: str) -> list[str]:
    """What the sessions of a user are doing, as `state: statement`; none while the server cannot be asked."""
    try:
        lines = namespace.run(*_client(bench), f"--execute={_SESSIONS}").splitlines()
    except KubectlError:
        return []
    return [doing for whose, _, doing in (line.partition("\t") for line in lines) if whose == user]


@contextmanager
def locked(namespace: Namespace, bench: str, database: str, table: str) -> Iterator[None]:
    """Root has a table for itself, until the end or until the server is killed: who needs the table waits."""
    statement = f"LOCK TABLES `{database}`.`{table}` WRITE; DO SLEEP({HOLD_SECONDS});"
    argv = namespace.kubectl.argv(f"--namespace={namespace.name}", *_client(bench), f"--execute={statement}")
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        try:
            namespace.until(
                lambda: any(each.startswith(SLEEPS) for each in sessions(namespace, bench, "root")),
                f"the lock of {table}",
            )
            yield
        finally:
            client.kill()


def killed(namespace: Namespace, bench: str) -> None:
    """SIGKILL for the server: the kubelet starts its container again."""
    os.kill(process_of(_pod(namespace, bench), "mariadbd"), signal.SIGKILL)


def deleted(namespace: Namespace, bench: str) -> None:
    """The pod is deleted without a grace period: another one takes its place."""
    namespace.run("delete", "pod", _pod(namespace, bench)["metadata"]["name"], "--grace-period=0", "--force")


def _pod(namespace: Namespace, bench: str) -> dict[str, Any]:
    return namespace.get("pod", f"{bench}-mariadb-0")


def _client(bench: str) -> list[str]:
    options = [f"--defaults-file={ROOT}", f"--socket={SOCKET}", "--batch", "--skip-column-names"]
    return ["exec", f"{bench}-mariadb-0", "--", "mariadb", *options]
