"""Locks between processes and pods: flock on a file of the site's directory."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from frappe.exceptions import LockTimeoutError


@contextlib.contextmanager
def filelock(folder: Path, name: str, timeout: float = 1) -> Iterator[None]:
    """Hold `<folder>/<name>.lock`. Raises LockTimeoutError when another process holds it for `timeout` seconds."""
    with (folder / f"{name}.lock").open("w") as file:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LockTimeoutError(f"Failed to acquire lock: {name}") from None
                time.sleep(0.05)
        yield
