"""What container networks write outside all folders that can be chosen."""

import contextlib
from pathlib import Path

# The path is fixed in the library with which containerd calls network plugins.
_RESULTS = Path("/var/lib/cni/results")


def remove(network: str) -> None:
    """Remove the results kept of the network of this name, and the folders if nobody else keeps any there."""
    for file in _RESULTS.glob(f"{network}-*"):
        file.unlink(missing_ok=True)
    for folder in (_RESULTS, _RESULTS.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
