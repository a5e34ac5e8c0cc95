"""What keeps a node apart from the machine: processes, mounts and a network of its own, all gone when it ends.

The kernel does the tidying up. Ending the first process of the enclosure ends every other in it, and with the last of
them go the mounts, devices and packet filter rules that were made inside.
"""

import subprocess
import sys
from pathlib import Path

from sandbox.processes import Process
from sandbox.state import State

INSIDE = Path("/run/node")
"""Where the enclosure's own folder is to be found inside: a short path, because those of sockets are limited."""

READY = Path("/run/enclosure-ready")

HIDDEN = (Path("/run"), Path("/var/log"))
"""Folders of the machine that are empty ones inside: the cluster's state cannot lie there."""

_START = 20.0
_LISTENS = "0A"


class EnclosureError(Exception):
    """A program that the node needs failed; the message is what it said."""


class Enclosure:
    """The enclosure of one cluster's node, whether it is there or not."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._keeper = Process(state, "enclosure")

    @property
    def folder(self) -> Path:
        """The folder that is `INSIDE` inside; outside it lies in the cluster's state."""
        return self._state.folder("node")

    @property
    def pid(self) -> int:
        """A process, by its id outside, in the enclosure's network and among its mounts."""
        pid = self._keeper.pid
        if pid is None:
            raise EnclosureError("the node's enclosure is gone")
        return pid

    @property
    def namespaces(self) -> Path:
        """The folder with the files that stand for its namespaces."""
        return Path(f"/proc/{self.pid}/ns")

    def up(self) -> None:
        """Make it. Raises `ProcessError` when the machine does not let us."""
        self._keeper.start(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *(sys.executable, "-m", "sandbox.enclosure_init", self.folder),
            ],
            cwd=Path(__file__).parent.parent,
        )
        self._keeper.wait_until(self._is_ready, _START, "the node's enclosure")

    def down(self) -> None:
        """End all processes in it, which undoes all else that was done in it. Returns when they are gone."""
        if self._keeper.running:
            # To the first process inside: `unshare`, outside, ignores every request but the last one.
            subprocess.run([*self._entrance, "kill", "-TERM", "1"], capture_output=True)
        self._keeper.stop()

    def inside(self, *argv: str | Path) -> list[str | Path]:
        """`argv` as it is to be run in the enclosure. It ends with the process that is started, however that ends."""
        return [*self._entrance, "setpriv", "--pdeathsig", "KILL", *argv]

    def run(self, *argv: str | Path) -> str:
        """Run a program inside to its end and return its standard output. Raises `EnclosureError` when it fails."""
        done = subprocess.run(self.inside(*argv), capture_output=True, text=True)
        if done.returncode:
            raise EnclosureError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
        return done.stdout

    def listening_ports(self) -> set[int]:
        """The TCP ports that something in its network listens on, at whatever address."""
        tables = [Path(f"/proc/{self.pid}/net/{table}") for table in ("tcp", "tcp6")]
        # See proc(5): the local address and port in hexadecimal, the remote ones, the state.
        sockets = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
        return {int(socket[1].rpartition(":")[2], 16) for socket in sockets if socket[3] == _LISTENS}

    @property
    def _entrance(self) -> list[str]:
        files = (("mount", "mnt"), ("net", "net"), ("pid", "pid_for_children"))
        return ["nsenter", *(f"--{name}={self.namespaces / file}" for name, file in files), "--"]

    def _is_ready(self) -> bool:
        return Path(f"/proc/{self.pid}/root{READY}").exists()
