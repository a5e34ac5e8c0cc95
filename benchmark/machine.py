"""The machine: its cores, and the CPU and memory that a process has used."""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CORES = sorted(os.sched_getaffinity(0))
OPERATOR_CORE, SERVER_CORE = CORES[0], CORES[-1]
TICKS = os.sysconf("SC_CLK_TCK")


def pinned(core: int, argv: Sequence[str]) -> list[str]:
    """A command line that runs on one core."""
    return ["taskset", "--cpu-list", str(core), *argv]


class Usage:
    """What a process has used so far."""

    def __init__(self, pid: int | str = "self") -> None:
        self._folder = Path("/proc") / str(pid)

    @property
    def cpu(self) -> float:
        """Seconds of CPU, of the whole process."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss(self) -> int:
        """Bytes of memory now."""
        return self._status("VmRSS")

    @property
    def peak(self) -> int:
        """Peak memory in bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", (self._folder / "status").read_text(), re.M)
        assert found is not None
        return int(found[1]) * 1024


def stolen() -> tuple[int, int]:
    """Ticks of stolen time, and all ticks, since boot."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return fields[7], sum(fields[:8])


def described(since: tuple[int, int]) -> dict[str, Any]:
    """A description of the machine; `since`: an earlier `stolen()`."""
    steal, total = (now - before for now, before in zip(stolen(), since, strict=True))
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return {
        "cores": len(CORES),
        "cpu": model[1] if model else platform.processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "steal_percent": round(100 * steal / max(total, 1), 1),
        "load": os.getloadavg()[0],
    }
