"""Fixtures: a pod, and its MariaDB server."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import server as servers
from .pod import Pod
from .server import Server

DATABASE = "_0123456789abcdef_89abcdef"
"""A database name in the format of the operator."""

HAS_MARIADB = shutil.which("mariadbd") is not None


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.fixture(scope="session")
def real_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as root, servers.real(Path(root)) as server:
        yield server


@pytest.fixture(params=["fake", "real"] if HAS_MARIADB else ["fake"])
def server(request: pytest.FixtureRequest, pod: Pod) -> Iterator[Server]:
    """A MariaDB server without databases; the pod has the root password."""
    if request.param == "fake":
        server = servers.fake(pod.root)
        server.serve(pod)
        yield server
    else:
        server = request.getfixturevalue("real_server")
        server.serve(pod)
        yield server
        server.sql(f"DROP DATABASE IF EXISTS `{DATABASE}`; DROP USER IF EXISTS '{DATABASE}'@'%';")


@pytest.fixture
def database(pod: Pod, server: Server) -> str:
    """An empty database with its user, and the Secret with its connection."""
    server.sql(
        f"CREATE DATABASE `{DATABASE}` CHARACTER SET utf8mb4;\n"
        f"CREATE USER '{DATABASE}'@'%' IDENTIFIED BY 'user-canary';\n"
        f"GRANT ALL PRIVILEGES ON `{DATABASE}`.* TO '{DATABASE}'@'%';\n"
    )
    pod.secret(
        "database",
        host="127.0.0.1",
        port=str(server.port),
        database=DATABASE,
        username=DATABASE,
        password="user-canary",
    )
    return DATABASE
