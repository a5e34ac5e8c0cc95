"""A copy of the repository, in which one file at a time is wrong."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant, planted

PARTS = (
    "src",
    "fakecluster",
    "tests",
    "sandbox",
    "demo",
    "docs",
    "examples",
    "deploy",
    "scripts",
    "pyproject.toml",
    "Makefile",
)
"""What tests read, beside what they import."""
LONG_AGO = 1_000_000_000
"""When a planted file says it was written: no compiled file is ever of that time, so none of another text is used."""


class RepositoryCopy:
    """One copy. `root` is where it stands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.is_file():
                shutil.copy2(source, root / part)

    @contextmanager
    def with_bug(self, mutant: Mutant) -> Iterator[None]:
        """The copy with the bug in it. Raises Stale."""
        path = self.root / mutant.path
        text = planted(mutant, self.root)
        before, times = path.read_text(), path.stat()
        path.write_text(text)
        os.utime(path, (LONG_AGO, LONG_AGO))
        try:
            yield
        finally:
            path.write_text(before)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
