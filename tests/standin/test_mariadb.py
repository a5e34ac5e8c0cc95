"""The bench's MariaDB, started with its own script."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess

import pytest

from frappe_operator.components import mariadb
from frappe_operator.runner import sql
from tests.standin.rootfs import SERVER, Rootfs, eventually, free_port


@pytest.mark.parametrize("password", ["plain0123", """it's; DROP USER root; -- " \\' `x` $HOME $(id) \\"""])
def test_root_logs_in_with_the_password_in_the_secret_whatever_it_is(rootfs: Rootfs, password: str) -> None:
    server = Server(rootfs)
    with server.started(password):
        done = server.login(password)
        assert done.returncode == 0, done.stderr + server.log.read_text()
        assert server.login(f"{password}x").returncode != 0
        proof = server.run(mariadb.STARTED)
        assert proof.returncode == 0, proof.stderr
        assert password not in server.log.read_text()


def test_another_password_is_taken_up_when_a_server_starts_on_the_same_data(rootfs: Rootfs) -> None:
    """As after the Secret was lost, or where a claim was retained from an earlier bench."""
    server = Server(rootfs)
    with server.started("first-canary"):
        assert server.run(mariadb.STARTED).returncode == 0
    with server.started("second-canary"):
        assert server.run(mariadb.STARTED).returncode == 0
        assert server.login("second-canary").returncode == 0
        assert server.login("first-canary").returncode != 0
        server.login("second-canary", "ALTER USER root@localhost IDENTIFIED BY 'by-hand'")
        assert server.run(mariadb.STARTED).returncode != 0, "which is a proof"


class Server:
    """A MariaDB with its own data, started as the bench's is."""

    def __init__(self, rootfs: Rootfs) -> None:
        self.rootfs, self.place = rootfs, f"/entry/{secrets.token_hex(4)}"
        for folder in ("/entry", self.place, *(f"{self.place}/{name}" for name in ("lib", "tmp", "secret"))):
            rootfs.folder(folder, SERVER)
        self.log = rootfs.inside(f"{self.place}/log")

    @contextmanager
    def started(self, password: str, address: str = "127.0.0.1", options: str = "") -> Iterator[int]:
        """The server, up with this password in its Secret; yields its port."""
        port, script = free_port(), mariadb.ENTRY
        # What is in memory goes with a pod.
        shutil.rmtree(self.rootfs.inside(f"{self.place}/run"), ignore_errors=True)
        self.rootfs.folder(f"{self.place}/run", SERVER)
        self.rootfs.inside(f"{self.place}/secret/password").write_text(password)
        for old, new in {
            "/var/lib/mysql": f"{self.place}/lib",
            "/run/mysqld": f"{self.place}/run",
            "--tmpdir=/tmp": f"--tmpdir={self.place}/tmp",
            "/run/secrets/frappe-operator": f"{self.place}/secret",
            "--bind-address=0.0.0.0": f"--bind-address={address}",
            f"--port={mariadb.PORT}": f"--port={port} --innodb-flush-method=nosync {options}",
        }.items():
            assert old in script
            script = script.replace(old, new)
        with self.rootfs.running(["sh", "-ec", script], user=SERVER, folder="/", log=self.log):
            eventually(lambda: f"port: {port}" in self.log.read_text(), "MariaDB is up")
            yield port

    def run(self, argv: list[str]) -> CompletedProcess[str]:
        """A program beside it, in its pod."""
        here = [each.replace("/run/mysqld", f"{self.place}/run") for each in argv]
        return self.rootfs.run(here, user=SERVER, folder="/")

    def login(self, password: str, statement: str = "SELECT 1") -> CompletedProcess[str]:
        """A statement as root."""
        client = ["mariadb", "--no-defaults", f"--socket={self.place}/run/mysqld.sock", "--user=root", "-e", statement]
        return self.rootfs.run(client, env={"MYSQL_PWD": password})


@pytest.mark.parametrize("text", ["plain", "a\"b#c\\d 'e' ;", "one\nport=1\r\ntwo", "\\n", '"'])
def test_a_text_is_one_value_of_the_clients_option_file(rootfs: Rootfs, text: str) -> None:
    file = f"/tmp/{secrets.token_hex(4)}.cnf"
    rootfs.inside(file).write_text(f"[client]\nuser={sql.option(text)}\n")
    done = rootfs.run(["mariadb", f"--defaults-file={file}", "--print-defaults"])
    text = text.replace("\r\n", "\n")  # As this program reads what another prints.
    assert f"--user={text}" in done.stdout
    assert "--port" not in done.stdout.replace(text, "")
