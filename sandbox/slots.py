"""Keeps several clusters on one machine from using the same addresses: each takes one of 64 slots.

A slot is a file in a folder all clusters of one user know. It names the cluster's state folder; once that folder is
gone the slot is free again, whatever happened to the process that took it.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

SLOTS = 64
_FIRST_PORT, _PORTS = 20_000, 100  # 20000–26399: below the ports that kernels and NodePorts hand out


class NoSlotError(Exception):
    """The machine has no slot or no port left."""


def folder() -> Path:
    """Where the slots are written down. Not in a temporary folder of one process: all clusters must see it."""
    return Path("/tmp") / f"frappe-operator-sandbox-{os.getuid()}"


def take(root: Path) -> int:
    """The slot of the cluster in `root`: the one it has, else a free one. Raises `NoSlotError`."""
    with _alone():
        owners = _owners()
        for slot, owner in owners.items():
            if owner == root:
                return slot
        for slot in range(SLOTS):
            if slot not in owners:
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                (folder() / str(slot)).write_text(str(root))
                return slot
    raise NoSlotError(f"all {SLOTS} slots for clusters are taken; {folder()} says by which")


def give_back(root: Path) -> None:
    """Free the slot of the cluster in `root`, if it has one."""
    with _alone():
        for slot, owner in _owners().items():
            if owner == root:
                (folder() / str(slot)).unlink()


def free_port(slot: int, taken: set[int]) -> int:
    """A TCP port of this slot that nothing listens on and that is not in `taken`. Raises `NoSlotError`."""
    first = _FIRST_PORT + slot * _PORTS
    for port in range(first, first + _PORTS):
        if port not in taken and _can_listen(port):
            return port
    raise NoSlotError(f"no free port among {first} to {first + _PORTS - 1}")


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _owners() -> dict[int, Path]:
    owners = {int(file.name): Path(file.read_text()) for file in folder().iterdir() if file.name.isdecimal()}
    for slot in [slot for slot, owner in owners.items() if not owner.exists()]:
        (folder() / str(slot)).unlink()
        del owners[slot]
    return owners


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    folder().mkdir(mode=0o700, exist_ok=True)
    with (folder() / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
