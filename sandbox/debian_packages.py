"""Programs of the machine itself that a node needs, from Debian's packages."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.progress import Progress

NEEDED = {
    "runc": Path("/usr/sbin/runc"),
    "containernetworking-plugins": Path("/usr/lib/cni/ptp"),
    "iptables": Path("/usr/sbin/iptables"),
    "iproute2": Path("/usr/sbin/ip"),
    "conntrack": Path("/usr/sbin/conntrack"),
}
"""Packages, and a file that shows that one is installed (or that something else is in its place)."""


class PackageError(Exception):
    """A package is missing and cannot be had; the message says what to do or what apt said."""


def install(progress: Progress) -> None:
    """Install what is missing of `NEEDED`; root, on a Debian or what descends from it. Raises `PackageError`."""
    missing = [name for name, file in NEEDED.items() if not file.exists()]
    if missing:
        with progress.step(f"Installing {', '.join(missing)}"):
            _update()
            _apt("install", "--yes", "--no-install-recommends", *missing)


def unpack(name: str, target: Path) -> None:
    """Unpack a package's files below `target` without installing it. Raises `PackageError`."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _apt("download", name, cwd=Path(scratch))
        except PackageError:
            _update()
            _apt("download", name, cwd=Path(scratch))
        (package,) = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, target], check=True)


def _update() -> None:
    _apt("update")


def _apt(*words: str, cwd: Path | None = None) -> None:
    # apt would try to download as a user who may not write here, and say so at length.
    argv: Sequence[str] = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *words]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, cwd=cwd, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
    except FileNotFoundError:
        raise PackageError(f"there is no apt-get here: install what is in {', '.join(NEEDED)} yourself") from None
    if done.returncode:
        raise PackageError(f"{' '.join(argv)}: {done.stderr.strip()}")
