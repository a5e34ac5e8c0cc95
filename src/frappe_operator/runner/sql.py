"""Statements on MariaDB through its command-line client, which every Frappe image contains."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .child import ask
from .credentials import NO_TLS, Connection
from .log import say
from .outcome import Blocked, Retry, Stopped

ACCESS_DENIED, NO_DATABASE, NO_ACCESS_TO_DATABASE, NO_SUCH_SESSION = 1045, 1049, 1044, 1094
UNREACHABLE = {1040, 1053, 1158, 1159, 1160, 1161, 1205, 1927, *range(2000, 2100)}
"""Errors of a server that is away, starting, stopping, full or busy; every error of the client's own."""
TLS_FAILED = 2026
"""Error of the client's own that waiting does not resolve, if the connection must be encrypted."""

STATEMENT_TIMEOUT = 300
"""Seconds that one run of the client may take."""

# Whatever the server's own settings are: a backslash escapes, and a lock is not waited for all day.
_PREAMBLE = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', lock_wait_timeout = 60;\n"


class Refused(Stopped):
    """The server rejected a statement. A command that does not expect it ends and is retried."""

    def __init__(self, code: int, message: str, line: int) -> None:
        super().__init__("DatabaseRefused", f"MariaDB reports an error: {message} (error {code})")
        self.code = code
        self.reported = message
        self.line = line
        """Line of the rejected statement, counted from 1; 0 when the login was rejected."""


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A quoted SQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def option(text: str) -> str:
    """A value of the client's option file, quoted on one line."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
    return '"' + "".join(escapes.get(each, each) for each in text) + '"'


def query(server: Connection, statements: str) -> list[list[str]]:
    """Executes statements and returns the rows. Text that may contain any character must be selected with HEX().

    Raises Refused when the server rejects a statement, and Retry when it cannot be reached.
    """
    try:
        with option_file(server) as options:
            argv = [*client(options), "--connect-timeout=10"]
            ended = ask(argv, _PREAMBLE + statements, timeout=STATEMENT_TIMEOUT, pass_fds=[options])
    except subprocess.TimeoutExpired:
        raise unavailable(server, f"no answer within {STATEMENT_TIMEOUT} seconds") from None
    if ended.code == 0:
        return [line.split("\t") for line in ended.out.splitlines()]
    error = re.search(r"ERROR (\d+) \(\w+\)(?: at line (\d+))?: (.*)", ended.err)
    refused = error is not None and int(error[1]) == TLS_FAILED and server.tls not in ("", NO_TLS)
    if error is None or (int(error[1]) in UNREACHABLE and not refused):
        raise unavailable(server, error[3] if error else ended.log_tail)
    raise Refused(int(error[1]), error[3], int(error[2]) - _PREAMBLE.count("\n") if error[2] else 0)


def text(hexadecimal: str) -> str:
    """Decodes text that was selected with HEX()."""
    return bytes.fromhex(hexadecimal).decode("utf-8", "surrogateescape")


def wait(server: Connection, patience: int) -> None:
    """Waits until the server accepts the login of this user. Raises Retry after `patience` seconds, or Refused."""
    deadline = time.monotonic() + patience
    said = ""
    while True:
        try:
            query(server, "SELECT 1;")
        except Retry as trouble:
            if time.monotonic() >= deadline:
                raise
            if trouble.message != said:
                say(f"{trouble.message}; retrying for up to {patience} seconds")
                said = trouble.message
            # There is no event to wait for: a server that cannot be reached does not report when it is back.
            time.sleep(1)
        else:
            return


def client(options: int) -> list[str]:
    """The command line of the client, with its options from the file descriptor `options`. Raises Blocked."""
    # Up to Frappe 14's time it was called mysql; MariaDB 11 has dropped that name.
    argv = program("mariadb", "mysql", options)
    return [*argv, "--batch", "--skip-column-names", "--binary-mode", "--protocol=tcp"]


def program(name: str, older_name: str, options: int) -> list[str]:
    """The command line of a MariaDB program. Raises Blocked when the image lacks it."""
    path = shutil.which(name) or shutil.which(older_name)
    if path is None:
        raise Blocked(
            "ImageInvalid", f"The image of the bench contains no MariaDB client: use an image that contains `{name}`"
        )
    # First of all, or the program refuses it. No other file is read: that of the pod is for the programs that Frappe
    # starts, with the settings of before while others are tried.
    return [path, f"--defaults-file=/dev/fd/{options}"]


@contextmanager
def option_file(server: Connection) -> Iterator[int]:
    """The file descriptor of an option file with address and login, for child processes that inherit it."""
    # In memory that has no name: no file is left behind, whatever happens.
    options = os.memfd_create("client.cnf")
    try:
        os.fchmod(options, 0o600)
        os.write(options, _options(server).encode())
        yield options
    finally:
        os.close(options)


def _options(server: Connection) -> str:
    values = {"host": server.host, "user": server.username, "password": server.password, "database": server.database}
    lines = [f"port={server.port}", "default-character-set=utf8mb4"]
    for name, value in values.items():
        if value:
            lines.append(f"{name}={option(value)}")
    return "\n".join(["[client]", *lines, *tls_options(server), ""])


def tls_options(server: Connection) -> list[str]:
    """Lines of an option file that encrypt the connection, or leave it unencrypted; none if the programs decide."""
    if server.tls in ("", NO_TLS):
        return ["skip-ssl"] if server.tls else []
    return ["ssl", f"ssl-ca={option(server.tls)}", "ssl-verify-server-cert"]


def unavailable(server: Connection, why: str) -> Retry:
    """The error of a server that cannot be reached."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return Retry("DatabaseUnavailable", f"MariaDB at {host}:{server.port} cannot be reached: {why}")
