"""The image's file system unpacked, with its real MariaDB and Redis: its programs run in it without any container."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BENCH = "/home/frappe/frappe-bench"
FRAPPE = 1000
SERVER = 999
DEADLINE = 180
"""Seconds anything may take before a test says that it never happened."""

# As the first of its own process namespace a program ignores SIGTERM here where it does so in a container.
ENTER = (
    'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && root="$1" user="$2" folder="$3" && shift 3 && '
    'exec chroot --userspec="$user:$user" "$root" env -C "$folder" "$@"'
)


@dataclass
class Rootfs:
    """An unpacked image. What is started in it ends with the process that started it."""

    root: Path

    def inside(self, path: str) -> Path:
        """Where this machine has what the image calls `path`."""
        return self.root / path.lstrip("/")

    def folder(self, path: str, uid: int = FRAPPE) -> Path:
        made = self.inside(path)
        made.mkdir(parents=True, exist_ok=True)
        os.chown(made, uid, uid)
        return made

    def run(
        self,
        argv: Sequence[str],
        *,
        user: int = FRAPPE,
        folder: str = f"{BENCH}/sites",
        env: Mapping[str, str] | None = None,
        said: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with `said` as its standard input."""
        words = self._argv(argv, user, folder, env)
        return subprocess.run(words, input=said, capture_output=True, text=True, check=False, timeout=DEADLINE)

    @contextlib.contextmanager
    def running(
        self,
        argv: Sequence[str],
        *,
        user: int = FRAPPE,
        folder: str = f"{BENCH}/sites",
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> Iterator["Running"]:
        """A program that runs until the block ends."""
        with (log or Path(os.devnull)).open("ab") as out:
            words = self._argv(argv, user, folder, env)
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            try:
                yield Running(process)
            finally:
                # The first process of its namespace, with which all others go. That it ends with unshare is asked for
                # (--kill-child), and forgotten by the kernel as soon as it becomes another user.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                        os.kill(int(child), signal.SIGKILL)
                process.kill()
                process.wait()

    def _argv(self, argv: Sequence[str], user: int, folder: str, env: Mapping[str, str] | None) -> list[str]:
        variables = {
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/tmp",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        words = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *argv]
        unshared = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
        return [*unshared, "sh", "-c", ENTER, "sh", str(self.root), str(user), folder, *words]


@dataclass
class Running:
    """A program in the image, and the process here that keeps it."""

    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """The program itself, the first process of its namespace."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)

    @property
    def words(self) -> list[str]:
        """Its command line, empty while it has not begun."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_text().split("\0")[:-1]
        except (ValueError, FileNotFoundError):
            return []

    def terminate(self) -> None:
        """Send SIGTERM to the program itself, as a kubelet would."""
        os.kill(self.pid, signal.SIGTERM)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """The program is stopped for as long as the block runs."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def probe(
        self, argv: Sequence[str], *, user: int = FRAPPE, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run another program beside it, as a kubelet runs a probe in a container."""
        variables = ["PATH=/usr/local/bin:/usr/bin:/bin", *(f"{name}={value}" for name, value in (env or {}).items())]
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", "--wd"]
        words = [*enter, f"--setuid={user}", f"--setgid={user}", "env", "-i", *variables, *argv]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=DEADLINE)

    def ended_within(self, seconds: float) -> int | None:
        """Its exit code, None when it still runs after that time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def unpack(layers: Sequence[Path], root: Path) -> Rootfs:
    """Unpack layers one over the other."""
    root.mkdir()
    for layer in layers:
        subprocess.run(["tar", "-x", "--same-owner", "-p", "-f", str(layer), "-C", str(root)], check=True)
    for folder in ("proc", "dev"):
        (root / folder).mkdir(exist_ok=True)
    # A kubelet writes these files into every container.
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
    (root / "etc/resolv.conf").write_text("search harbour.svc.cluster.local svc.cluster.local\nnameserver 127.0.0.1\n")
    return Rootfs(root)


def layers_of(layout: Path, name: str, target: Path) -> list[Path]:
    """The layers of the image called `name` in an OCI layout tar, taken out into `target`, the lowest first."""
    with tarfile.open(layout) as tar:

        def blob(digest: str) -> bytes:
            return _content(tar, f"blobs/{digest.replace(':', '/')}")

        index = json.loads(_content(tar, "index.json"))
        (found,) = [one for one in index["manifests"] if one["annotations"]["io.containerd.image.name"] == name]
        files = []
        for number, layer in enumerate(json.loads(blob(found["digest"]))["layers"]):
            file = target / f"{number}.tar"
            with file.open("wb") as out, _opened(tar, f"blobs/{layer['digest'].replace(':', '/')}") as source:
                while chunk := source.read(1 << 20):
                    out.write(chunk)
            files.append(file)
        return files


def _content(tar: tarfile.TarFile, path: str) -> bytes:
    with _opened(tar, path) as content:
        return content.read()


def _opened(tar: tarfile.TarFile, path: str) -> IO[bytes]:
    opened = tar.extractfile(path)
    assert opened is not None
    return opened


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def eventually(true: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Wait until `true()` is, and fail with `what` when it never is; what it raises counts as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
            error: Exception | None = None
        except Exception as trouble:
            error = trouble
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s: {error}"
        time.sleep(0.1)
