"""The image, unpacked once, with MariaDB and Redis running in it, and benches to try."""

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import images
from sandbox.progress import plain
from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import SERVER, Rootfs, eventually, free_port, layers_of, unpack

MARIADBD = (
    "mariadbd",
    "--no-defaults",
    "--datadir=/data/mariadb",
    "--socket=/run/mysqld/mysqld.sock",
    "--init-file=/data/init.sql",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--skip-character-set-client-handshake",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
)


@pytest.fixture(scope="session")
def layout() -> Path:
    """The OCI layout tar of all images."""
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("images are built and run as root on Linux")
    (tar,) = images.build(plain())
    return tar


@pytest.fixture(scope="session")
def rootfs(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootfs]:
    folder = tmp_path_factory.mktemp("standin")
    made = unpack(layers_of(layout, images.OFFICIAL, folder), folder / "root")
    # Programs in it run as other users, which may not pass through pytest's folders of mode 0700.
    for above in (folder, *folder.parents[:2]):
        above.chmod(0o755)
    yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def redis_port(rootfs: Rootfs) -> Iterator[int]:
    port = free_port()
    with rootfs.running(["redis-server", "--port", str(port), "--bind", "127.0.0.1"], user=SERVER, folder="/data"):
        eventually(lambda: _pongs(rootfs, port), "Redis answers")
        yield port


def _pongs(rootfs: Rootfs, port: int) -> bool:
    return "PONG" in rootfs.run(["redis-cli", "-p", str(port), "ping"]).stdout


@pytest.fixture(scope="session")
def mariadb(rootfs: Rootfs) -> Iterator[tuple[int, str]]:
    """Port and root password of a MariaDB that runs as the operator's does."""
    password, port = secrets.token_hex(8), free_port()
    rootfs.folder("/data/mariadb", SERVER)
    install = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal"]
    made = rootfs.run([*install, "--datadir=/data/mariadb"], user=SERVER, folder="/data")
    assert made.returncode == 0, made.stdout + made.stderr
    rootfs.inside("/data/init.sql").write_text(
        f"CREATE OR REPLACE USER chief@'%' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO chief@'%' WITH GRANT OPTION;\n"
    )
    log = rootfs.root.parent / "mariadb.log"
    with rootfs.running([*MARIADBD, f"--port={port}"], user=SERVER, folder="/data", log=log):
        argv = ["mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={port}", "--user=chief", "-e", "SELECT 1"]
        eventually(lambda: rootfs.run(argv, env={"MYSQL_PWD": password}).returncode == 0, "MariaDB answers")
        yield port, password


@pytest.fixture(scope="session")
def make_bench(rootfs: Rootfs, redis_port: int, mariadb: tuple[int, str]) -> Callable[..., Bench]:
    """A factory of benches, each with a view and queues of its own."""

    def make(**common: Any) -> Bench:
        name = f"b{secrets.token_hex(4)}"
        port, password = mariadb
        return Bench(rootfs, port, redis_port, password, f"/views/{name}", {"bench_id": name, **common})

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
