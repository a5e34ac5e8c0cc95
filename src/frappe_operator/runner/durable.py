"""Files that survive a kill at any moment: whole or not there, and one writer at a time."""

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .outcome import Retry


def write(path: Path, text: str, mode: int) -> None:
    """Puts a file in place in one step. When this returns, it outlives a power cut."""
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
    """Adds a line that outlives a power cut."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Removes a file. When this returns, it stays removed after a power cut."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder outlive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, seconds: int) -> Iterator[None]:
    """Holds the lock `path` (flock, as Frappe does), also against other pods on the same volume.

    Raises Retry when another holds it for longer than `seconds`.
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
