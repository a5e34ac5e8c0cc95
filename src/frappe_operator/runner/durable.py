"""Crash-safe files: a file is either complete or absent, and has one writer at a time."""

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .outcome import Retry

SITE_LOCK_SECONDS = 600
"""Seconds to wait for another pod that works on the same site."""


def write(path: Path, text: str, mode: int) -> None:
    """Writes a file atomically. It is synced to disk when this returns."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(path.parent)


def append(path: Path, line: str) -> None:
    """Appends a line and syncs it to disk."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Removes a file. The removal is synced to disk when this returns."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Syncs the entries of a folder to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, seconds: int) -> Iterator[None]:
    """Holds the lock file `path` (flock, as Frappe does), which also excludes other pods on the same volume.

    Raises Retry when another process holds the lock for longer than `seconds`.
    """

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    with open(path, "a", encoding="utf-8") as file:
        try:
            signal.alarm(seconds)
            fcntl.flock(file, fcntl.LOCK_EX)
        except TimeoutError:
            raise Retry(
                "SiteBusy", f"Another pod has held the lock {path.name} for {seconds} seconds; waiting for it"
            ) from None
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        yield
