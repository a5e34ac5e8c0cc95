"""The control groups of one cluster's pods: made at the top of every hierarchy, under one name, and removed again."""

import contextlib
import os
from pathlib import Path

from sandbox.deadline import until

_TOP = Path("/sys/fs/cgroup")

# What a kubelet insists on finding in version 2; systemd hands on only what its units use.
_CONTROLLERS = {"cpu", "cpuset", "hugetlb", "memory", "pids"}


class ControlGroup:
    """The group `name` of the machine, in version 1 (a hierarchy for each controller) as in version 2 (one for all)."""

    def __init__(self, name: str, top: Path = _TOP) -> None:
        """`top` is where the machine shows its groups."""
        self._name = name
        self._top = top

    def make(self) -> None:
        """Make it, empty, below which the kubelet makes one for each pod."""
        for top in self._hierarchies:
            (top / self._name).mkdir(exist_ok=True)
            if self._is_unified:
                offered = set((top / "cgroup.controllers").read_text().split())
                wanted = " ".join(f"+{controller}" for controller in sorted(offered & _CONTROLLERS))
                (top / "cgroup.subtree_control").write_text(wanted)

    def remove(self) -> None:
        """Remove it and all below it. Its processes have ended or are about to: those are waited for."""
        until(self._removed, 20, f"the control groups {self._name} to be empty")

    def _removed(self) -> bool:
        for top in self._hierarchies:
            for folder, _, _ in os.walk(top / self._name, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
        return not any((top / self._name).exists() for top in self._hierarchies)

    @property
    def _is_unified(self) -> bool:
        return (self._top / "cgroup.controllers").exists()

    @property
    def _hierarchies(self) -> list[Path]:
        if self._is_unified:
            return [self._top]
        # Those with two controllers are there under several names, of which all but one are links.
        return [path for path in self._top.iterdir() if not path.is_symlink() and (path / "cgroup.procs").exists()]
