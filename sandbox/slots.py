"""Keeps several clusters on one machine from using the same addresses: each takes one of 64 slots.

A slot is a file in a folder all clusters of one user know. It names the cluster's state folder; once that folder is
gone the slot is free again, whatever happened to the process that took it. Clusters of other users, and other
programs, are seen by the ports they listen on and the routes they have set.
"""

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

SLOTS = 64
_FIRST_PORT, _PORTS = 20_000, 100  # 20000–26399: below the ports that kernels and NodePorts hand out


class NoSlotError(Exception):
    """The machine has no slot or no port left."""


def folder() -> Path:
    """Where the slots are written down. Not in a temporary folder of one process: all clusters must see it."""
    return Path("/tmp") / f"frappe-operator-sandbox-{os.getuid()}"


def pods(slot: int) -> IPv4Network:
    """The addresses for pods of the cluster that has this slot."""
    return IPv4Network((IPv4Address("10.244.0.0") + slot * (1 << 10), 22))


def services(slot: int) -> IPv4Network:
    """The addresses for Services of the cluster that has this slot."""
    return IPv4Network((IPv4Address("10.96.0.0") + slot * (1 << 14), 18))


def take(root: Path) -> int:
    """The slot of the cluster in `root`: the one it has, else a free one. Raises `NoSlotError`."""
    with _alone():
        # The cluster itself remembers, too: folders for temporary files are swept now and then.
        remembered = root / "slot"
        if remembered.exists():
            slot = int(remembered.read_text())
        else:
            slot = _free_slot()
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            remembered.write_text(str(slot))
        (folder() / str(slot)).write_text(str(root))
        return slot


def give_back(root: Path) -> None:
    """Free the slot of the cluster in `root`, if it has one."""
    with _alone():
        for slot, owner in _owners().items():
            if owner == root:
                (folder() / str(slot)).unlink()
        (root / "slot").unlink(missing_ok=True)


def clusters() -> list[Path]:
    """The state folders of all of this user's clusters."""
    with _alone():
        return sorted(_owners().values())


def free_port(slot: int, taken: set[int]) -> int:
    """A TCP port of this slot that nothing listens on and that is not in `taken`. Raises `NoSlotError`."""
    first = _FIRST_PORT + slot * _PORTS
    for port in range(first, first + _PORTS):
        if port not in taken and _can_listen(port):
            return port
    raise NoSlotError(f"no free port among {first} to {first + _PORTS - 1}")


def _free_slot() -> int:
    taken, routes = _owners(), list(_routes())
    for slot in range(SLOTS):
        # A wider route, such as a company's whole 10.0.0.0/8, does no harm: the narrower one wins.
        ranges = (pods(slot), services(slot))
        if slot not in taken and not any(route.subnet_of(own) for route in routes for own in ranges):
            return slot
    raise NoSlotError(f"all {SLOTS} slots for clusters are taken; {folder()} says by which")


def _routes() -> Iterator[IPv4Network]:
    table = Path("/proc/net/route")
    if not table.exists():
        return
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        # Hexadecimal, in the machine's own byte order.
        address, mask = (IPv4Address(int(fields[i], 16).to_bytes(4, sys.byteorder)) for i in (1, 7))
        yield IPv4Network((int(address), str(mask)))


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
    if folder().stat().st_uid != os.getuid():
        raise NoSlotError(f"{folder()} belongs to somebody else: remove it")
    with (folder() / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
