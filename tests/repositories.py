"""Git repositories served over https, and a folder of wheels, for tests that build app layers."""

import base64
import hashlib
import os
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from sandbox.certificates import Authority

IDENTITY = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]


class Repositories:
    """Repositories below a folder, as a server offers them."""

    def __init__(self, folder: Path, address: str, port: int, ca: str) -> None:
        self.folder = folder
        self.address = address
        self.port = port
        self.ca = ca
        """The certificate of the authority that a client must trust."""
        self.login: tuple[str, str] | None = None
        """User name and password that the server requires; None for none."""
        self.requests: list[str] = []
        self.answering = threading.Event()
        """Whether requests are answered; while they are not, they wait."""
        self.answering.set()

    def url(self, name: str) -> str:
        return f"https://{self.address}:{self.port}/{name}"

    def commit(self, name: str, files: Mapping[str, str], branch: str = "main", tag: str = "") -> str:
        """Commits these files and nothing else to a branch. Returns the commit."""
        work = self.folder / f"{name}.work"
        if not work.exists():
            self._git(self.folder, "init", "--quiet", "--bare", f"{name}.git")
            self._git(self.folder, "init", "--quiet", work.name)
        if subprocess.run(["git", "-C", work, "checkout", "-q", branch], capture_output=True, check=False).returncode:
            self._git(work, "checkout", "-q", "--orphan", branch)
        self._git(work, "rm", "-rfq", "--ignore-unmatch", ".")
        for path, text in files.items():
            file = work / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                file.symlink_to(text.removeprefix("-> "))
            else:
                file.write_text(text)
        self._git(work, "add", "--all", "--force")
        self._git(work, "commit", "-q", "--allow-empty", "-m", "change")
        if tag:
            self._git(work, "tag", tag)
        self._git(work, "push", "-q", "--force", "--tags", f"../{name}.git", branch)
        return self._git(work, "rev-parse", "HEAD").strip()

    def _git(self, folder: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def repositories(folder: Path, address: str = "127.0.0.1") -> Iterator[Repositories]:
    """An https server of git repositories at an address of this machine, until the block ends."""
    authority = Authority(folder / "authority")
    issued = authority.issue("server", "server", hosts=(address,))
    server = _Server((address, 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    (folder / "repositories").mkdir()
    ca = authority.certificate.read_text()
    offered = Repositories(folder / "repositories", address, server.server_port, ca)
    _Handler.offered[server.server_port] = offered
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield offered
    finally:
        offered.answering.set()
        server.shutdown()
        server.server_close()
        del _Handler.offered[server.server_port]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client may be killed.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Runs `git http-backend` for each request."""

    offered: ClassVar[dict[int, Repositories]] = {}

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        offered = self.offered[self.connection.getsockname()[1]]
        offered.requests.append(self.path)
        offered.answering.wait()
        if offered.login is not None:
            expected = "Basic " + base64.b64encode(":".join(offered.login).encode()).decode()
            if self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        path, _, query = self.path.partition("?")
        name, _, rest = path.lstrip("/").partition("/")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(offered.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{name.removesuffix('.git')}.git/{rest}",
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = (), tag: str = "py3-none-any") -> Path:
    """Writes a wheel of a package with one module that contains its version."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        *(f"Requires-Dist: {r}\n" for r in requires),
    ]
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text.encode())}\n"
        for path, text in files.items()
    )
    target = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(target, "w") as packed:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            packed.writestr(path, text)
    return target
