"""Who a process is. Its id alone does not say: ids are used again."""

import platform
import subprocess
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")

DESCRIBE_SELF = f'{{ cat "/proc/$$/stat" {_BOOT} || ps -o pid=,lstart= -p $$; }} 2>/dev/null'
"""The shell's words for `describe` of itself."""


def describe(pid: int) -> str:
    """What the system says of a process: its line in /proc and which boot that is, or, elsewhere, what ps prints.

    Empty if there is no such process.
    """
    if platform.system() == "Linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text() + _BOOT.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return subprocess.run(["ps", "-o", "pid=,lstart=", "-p", str(pid)], capture_output=True, text=True).stdout


def alive(description: str) -> int | None:
    """The id of the process described, if that very process still runs; None otherwise, and for an empty text."""
    if not description.strip():
        return None
    pid = int(description.split()[0])
    born = _born(description)
    return pid if born and born == _born(describe(pid)) else None


def _born(description: str) -> str:
    """When the process began, in words that differ for every process that ever had this id; empty if it is dead."""
    if "(" not in description:
        return " ".join(description.split()[1:])
    # The command's name, in brackets, may hold anything; the fields follow the last bracket. See proc(5).
    fields = description.rpartition(")")[2].split()
    state, start_ticks, boot = fields[0], fields[19], fields[-1]
    return "" if state in "ZX" else f"{start_ticks} {boot}"
