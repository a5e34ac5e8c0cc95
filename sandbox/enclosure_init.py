"""The first process inside a node's enclosure: prepares it, then buries the dead until it is told to end."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from sandbox.enclosure import HIDDEN, INSIDE, READY

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
    """Hide what the machine, or another node on it, keeps where programs of ours insist on writing.

    `folder` is shown at `INSIDE`.
    """
    for hidden in HIDDEN:
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden)
    INSIDE.mkdir()
    _run("mount", "--bind", folder, INSIDE)
    _hide_below(Path("/var/lib"), ("cni", "containerd", "kubelet"))
    for name, value in _TUNABLES.items():
        pretended = Path("/run") / f"tunable-{name.replace('/', '-')}"
        pretended.write_text(f"{value}\n")
        _run("mount", "--bind", pretended, Path("/proc/sys") / name)
    # From now on mounts spread to the containers that ask for it. (Before, one folder's would to its double aside.)
    _run("mount", "--make-rshared", "/")
    _run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def bury_the_dead() -> None:
    """Return on SIGTERM. Until then, whatever process is left without a parent and ends is waited for."""
    while signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) != signal.SIGTERM:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _hide_below(parent: Path, names: Collection[str]) -> None:
    """Make the folders `names` in `parent` empty ones, also those that are not there and may not be left behind."""
    aside = Path("/run/aside")
    aside.mkdir()
    _run("mount", "--rbind", parent, aside)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", parent)
    for shown in aside.iterdir():
        if shown.is_dir() and not shown.is_symlink() and shown.name not in names:
            (parent / shown.name).mkdir()
            _run("mount", "--rbind", shown, parent / shown.name)
    _run("umount", "--recursive", aside)


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    READY.touch()
    bury_the_dead()
