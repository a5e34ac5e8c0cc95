"""The first process inside a node's enclosure: prepares it, then buries the dead until it is told to end."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from sandbox.enclosure import INSIDE, READY

# What the kubelet wants of the kernel is set for the whole machine, and survives it. Here it reads that all is as it
# wants. (The panics would also reboot somebody's laptop.)
_TUNABLES = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}


def prepare(folder: Path) -> None:
    """Hide the machine's own sockets, locks and logs, and show `folder` at a short path."""
    # Inside, mounts are to spread to the containers that ask for it; outside, none of them is seen.
    _run("mount", "--make-rshared", "/")
    kept = os.open(folder, os.O_PATH)
    for hidden in ("/run", "/var/log"):
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden)
    INSIDE.mkdir()
    _run("mount", "--bind", f"/proc/self/fd/{kept}", INSIDE, pass_fds=[kept])
    os.close(kept)
    for name, value in _TUNABLES.items():
        pretended = Path("/run") / f"tunable-{name.replace('/', '-')}"
        pretended.write_text(f"{value}\n")
        _run("mount", "--bind", pretended, Path("/proc/sys") / name)
    _run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def bury_the_dead() -> None:
    """Return on SIGTERM. Until then, whatever process is left without a parent and ends is waited for."""
    while signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) != signal.SIGTERM:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _run(*argv: str | Path, pass_fds: list[int] | None = None) -> None:
    subprocess.run(argv, check=True, pass_fds=pass_fds or [])


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    READY.touch()
    bury_the_dead()
