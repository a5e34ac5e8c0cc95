"""Our nginx containers, run with their own script and configuration, and a Frappe behind them that echoes."""

import contextlib
import http.client
import itertools
import json
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from frappe_operator.components import nginx, proxy
from tests.standin.rootfs import Rootfs, Running, eventually, free_port
from tests.standin.web import Answer
from tests.unit.resolved_samples import a_bench

NGINX = 101
SHARED: dict[str, str] = proxy.word(a_bench(), "0123456789abcdef" * 3)[0]["stringData"]
WORD, DIGEST = SHARED[nginx.WORD], SHARED[nginx.WORD_DIGEST]
"""What the proxy of a bench sends, and by what the front doors of its sites know it."""
NAMES = itertools.count()


def ask(port: int, target: str, host: str = "pearl.example.net", method: str = "GET", **how: Any) -> Answer:
    """Sends exactly this target. `how`: `headers`, `source` (the address it comes from), `body`."""
    headers: Mapping[str, str] = how.get("headers", {})
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    address = ("127.0.0.1", port)
    with socket.create_connection(
        address, timeout=30, source_address=(how.get("source", "127.0.0.1"), 0)
    ) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.headers.get_all("Set-Cookie") or [], answer.read())


class Frappe(BaseHTTPRequestHandler):
    """Answers with what it was asked; hands private files to nginx; never answers below `/hang`."""

    protocol_version = "HTTP/1.1"
    server: "FrappeServer"

    def do_GET(self) -> None:
        if self.path.startswith("/hang"):
            self.server.over.wait(60)
            return
        # A server that answers and leaves a body unread resets the connection, and nginx may not get the answer.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.requestline.split()[1]  # `self.path` has no two slashes at its beginning.
        got = {"path": path, "method": self.command, **{name.lower(): value for name, value in self.headers.items()}}
        body = json.dumps(got).encode()
        self.send_response(200)
        if self.path.startswith("/private/"):
            self.send_header("X-Accel-Redirect", f"/protected{self.path}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class FrappeServer(ThreadingHTTPServer):
    """A server of `Frappe`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Frappe)
        self.over = threading.Event()
        """Ends the requests that hang."""


@contextlib.contextmanager
def frappe() -> Iterator[int]:
    """Frappe on a port of this machine."""
    server = FrappeServer()
    with listening(server):
        yield server.server_address[1]
        server.over.set()


class Names(socketserver.BaseRequestHandler):
    """A name server for which every name is this machine."""

    def handle(self) -> None:
        query, connection = self.request
        end = query.index(b"\0", 12) + 5
        kind = query[end - 4 : end - 2]
        answers = [b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 5, 4) + bytes([127, 0, 0, 1])] if kind == b"\0\1" else []
        head = query[:2] + b"\x81\x80\0\1" + struct.pack(">H", len(answers)) + b"\0\0\0\0"
        connection.sendto(head + query[12:end] + b"".join(answers), self.client_address)


@contextlib.contextmanager
def names() -> Iterator[int]:
    """The name server's port."""
    server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Names)
    with listening(server):
        yield server.server_address[1]


@contextlib.contextmanager
def listening(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Door:
    """A container of nginx. `here`: what other places and ports the configuration's are on this machine."""

    rootfs: Rootfs
    here: Mapping[str, str]
    user: int = NGINX
    folder: str = field(default_factory=lambda: f"/doors/{next(NAMES)}")
    start: str = nginx.ENTRY
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    word: str | None = None
    """The file of this name; by default what the proxy has, or, for a container of Frappe's user, a front door."""
    versions: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.rootfs.folder("/doors", self.user)
        self.rootfs.folder(self.folder, self.user)
        self.source.mkdir()
        self.rootfs.folder(f"{self.folder}/tmp", self.user)
        self.log.touch()
        os.chown(self.log, self.user, self.user)

    @property
    def source(self) -> Path:
        return self.rootfs.inside(f"{self.folder}/source")

    @property
    def log(self) -> Path:
        return self.rootfs.inside(f"{self.folder}/log")

    def said(self) -> str:
        """What the container has printed."""
        return self.log.read_text(errors="replace")

    def configure(self, data: Mapping[str, str]) -> None:
        """Brings the ConfigMap in this state, all at once, as a kubelet does."""
        version = f"..{next(self.versions)}"
        (self.source / version).mkdir()
        for name, content in {**data, nginx.WORD: self._word()}.items():
            (self.source / version / name).write_text(self._here(content))
            if not (self.source / name).is_symlink():
                (self.source / name).symlink_to(f"..data/{name}")
        (self.source / "next").symlink_to(version)
        os.replace(self.source / "next", self.source / "..data")

    @contextlib.contextmanager
    def open(self) -> Iterator[Running]:
        """The container runs until the block ends."""
        argv = ["sh", "-ec", self.start.replace("/tmp", f"{self.folder}/tmp")]
        env = {"SOURCE": f"{self.folder}/source", "FILTER": nginx.FILTER, "LANG": "C.UTF-8", **self.env}
        with self.rootfs.running(argv, user=self.user, folder="/", env=env, log=self.log) as running:
            yield running

    def answers(self) -> bool:
        """Whether it serves. While nginx tries its configuration it listens already, and hangs up."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return ask(self.port, "/-/nothing").status == 404
        return False

    @contextlib.contextmanager
    def serving(self, data: Mapping[str, str]) -> Iterator[Running]:
        """It runs with this configuration, and answers."""
        self.configure(data)
        with self.open() as running:
            eventually(self.answers, "nginx answers", 30)
            yield running

    def _word(self) -> str:
        if self.word is not None:
            return self.word
        return WORD if self.user == NGINX else DIGEST

    def _here(self, content: str) -> str:
        changes = {"/tmp/": f"{self.folder}/tmp/", "listen 8080": f"listen 127.0.0.1:{self.port}", **self.here}
        for old, new in changes.items():
            content = content.replace(old, new)
        return content
