"""The bench's MariaDB, started with its own script."""

import secrets
from pathlib import Path

import pytest

from frappe_operator.components import mariadb
from frappe_operator.runner import sql
from tests.standin.rootfs import SERVER, Rootfs, eventually, free_port


@pytest.mark.parametrize("password", ["plain0123", """it's; DROP USER root; -- " \\' `x` $HOME $(id) \\"""])
def test_root_logs_in_with_the_password_in_the_secret_whatever_it_is(rootfs: Rootfs, password: str) -> None:
    place, port = f"/entry/{secrets.token_hex(4)}", free_port()
    for folder in ("/entry", place, *(f"{place}/{name}" for name in ("lib", "run", "tmp", "secret"))):
        rootfs.folder(folder, SERVER)
    rootfs.inside(f"{place}/secret/password").write_text(password)
    script = mariadb.ENTRY
    for old, new in {
        "/var/lib/mysql": f"{place}/lib",
        "/run/mysqld": f"{place}/run",
        "--tmpdir=/tmp": f"--tmpdir={place}/tmp",
        "/run/secrets/frappe-operator": f"{place}/secret",
        "--bind-address=0.0.0.0": "--bind-address=127.0.0.1",
        f"--port={mariadb.PORT}": f"--port={port} --innodb-flush-method=nosync",
    }.items():
        assert old in script
        script = script.replace(old, new)
    log = rootfs.inside(f"{place}/log")
    client = ["mariadb", "--no-defaults", f"--socket={place}/run/mysqld.sock", "--user=root", "-e", "SELECT 1"]
    with rootfs.running(["sh", "-ec", script], user=SERVER, folder="/", log=log):
        eventually(lambda: _listens(log, port), "MariaDB is up")
        done = rootfs.run(client, env={"MYSQL_PWD": password})
        assert done.returncode == 0, done.stderr + log.read_text()
        assert rootfs.run(client, env={"MYSQL_PWD": f"{password}x"}).returncode != 0
        assert password not in log.read_text()


@pytest.mark.parametrize("text", ["plain", "a\"b#c\\d 'e' ;", "one\nport=1\r\ntwo", "\\n", '"'])
def test_a_text_is_one_value_of_the_clients_option_file(rootfs: Rootfs, text: str) -> None:
    file = f"/tmp/{secrets.token_hex(4)}.cnf"
    rootfs.inside(file).write_text(f"[client]\nuser={sql.option(text)}\n")
    done = rootfs.run(["mariadb", f"--defaults-file={file}", "--print-defaults"])
    text = text.replace("\r\n", "\n")  # As this program reads what another prints.
    assert f"--user={text}" in done.stdout
    assert "--port" not in done.stdout.replace(text, "")


def _listens(log: Path, port: int) -> bool:
    return f"port: {port}" in log.read_text()
