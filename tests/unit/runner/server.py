"""MariaDB servers for the tests of the runner: a fake, and a real one if it is installed."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .pod import FAKES, Pod

ROOT_PASSWORD = "root-canary \"'\\#"


class Server:
    """Address and root password of a server."""

    def __init__(self, client: list[str], port: int, state: Path | None = None) -> None:
        self.client, self.port, self.state = client, port, state

    def serve(self, pod: Pod) -> None:
        """Makes this server the MariaDB of the pod."""
        if self.state is not None:
            for program in ("mariadb", "mariadb-dump"):
                pod.program(pod.programs / program, FAKES / "mariadb.py")
            pod.environment["FAKE_MARIADB"] = str(self.state)
        pod.secret("database-admin", host="127.0.0.1", port=str(self.port), username="root", password=ROOT_PASSWORD)

    def start(self, statements: str, database: str = "", password: str = ROOT_PASSWORD) -> "subprocess.Popen[str]":
        """Starts to execute statements as root; with another password, as the user named like the database."""
        user = "root" if password == ROOT_PASSWORD else database
        quoted = password.replace("\\", "\\\\").replace('"', '\\"')
        text = f'[client]\nhost="127.0.0.1"\nport={self.port}\nuser="{user}"\npassword="{quoted}"\n'
        options = os.memfd_create("options")
        os.fchmod(options, 0o600)
        os.write(options, (text + (f'database="{database}"\n' if database else "")).encode())
        more = ["--batch", "--skip-column-names", "--protocol=tcp", "--unbuffered"]
        process = subprocess.Popen(
            [*self.client, f"--defaults-extra-file=/dev/fd/{options}", *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[options],
            env={**os.environ, "FAKE_MARIADB": str(self.state)},
        )
        os.close(options)
        assert process.stdin is not None
        process.stdin.write(statements + "\n")
        process.stdin.flush()
        return process

    def sql(self, statements: str, database: str = "") -> list[list[str]]:
        """Executes statements as root."""
        process = self.start(statements, database)
        output, trouble = process.communicate()
        assert process.returncode == 0, trouble
        return [line.split("\t") for line in output.splitlines()]

    def tables(self, database: str) -> set[str]:
        rows = self.sql(
            "SELECT HEX(TABLE_NAME), TABLE_TYPE, HEX(TABLE_COMMENT) FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = DATABASE();",
            database,
        )
        return {bytes.fromhex(row[0]).decode() for row in rows}


def fake(root: Path, version: str = "10.11.8-MariaDB-log") -> Server:
    """A fake server, whose state is a file."""
    state = root / "mariadb.json"
    users = {"root": {"password": ROOT_PASSWORD, "grants": []}}
    state.write_text(json.dumps({"version": version, "users": users, "databases": {}}))
    program = root / "fake-mariadb"
    Pod.program(None, program, FAKES / "mariadb.py")  # type: ignore[arg-type]
    return Server([str(program)], 3306, state)


@contextmanager
def real(root: Path) -> Iterator[Server]:
    """A real server on a loopback port, stopped at the end."""
    data, init = root / "data", root / "init.sql"
    quoted = ROOT_PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    init.write_text(
        "DROP USER IF EXISTS root@'127.0.0.1', root@'::1';\n"
        f"CREATE USER root@'%' IDENTIFIED BY '{quoted}';\nGRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;\n"
    )
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run([*install, "--skip-test-db", *user], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [
        f"--datadir={data}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={root}/s",
        f"--init-file={init}",
    ]
    with open(root / "log", "wb") as log:
        process = subprocess.Popen(
            ["mariadbd", "--no-defaults", *user, *options, "--skip-name-resolve", f"--pid-file={root}/pid"],
            stdout=log,
            stderr=log,
        )
    try:
        client = shutil.which("mariadb")
        assert client is not None
        server = Server([client], port)
        deadline = time.monotonic() + 30
        while True:
            try:
                server.sql("SELECT 1;")
                break
            except AssertionError:
                assert process.poll() is None, (root / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()
