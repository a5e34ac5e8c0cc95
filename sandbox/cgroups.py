"""The control groups of one cluster's pods: made at the top of every hierarchy, under one name, and removed again."""

import contextlib
import os
from pathlib import Path

from sandbox.deadline import until

_TOP = Path("/sys/fs/cgroup")


class ControlGroup:
    """The group `name` of the machine, in version 1 (a hierarchy for each controller) as in version 2 (one for all)."""

    def __init__(self, name: str) -> None:
        self._name = name

    def make(self) -> None:
        """Make it, empty, below which the kubelet makes one for each pod."""
        for top in _hierarchies():
            (top / self._name).mkdir(exist_ok=True)

    def remove(self) -> None:
        """Remove it and all below it. Its processes have ended or are about to: those are waited for."""
        until(self._removed, 20, f"the control groups {self._name} to be empty")

    def _removed(self) -> bool:
        for top in _hierarchies():
            for folder, _, _ in os.walk(top / self._name, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
        return not any((top / self._name).exists() for top in _hierarchies())


def _hierarchies() -> list[Path]:
    if (_TOP / "cgroup.controllers").exists():
        return [_TOP]
    # Hierarchies with two controllers are there under several names, of which all but one are links.
    return [path for path in _TOP.iterdir() if not path.is_symlink() and (path / "cgroup.procs").exists()]
