"""Starts API servers with synthetic objects in them, and controls them."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.machine import SERVER_CORE, pinned

CONTROL = "/measure/"
PATIENCE_SECONDS = 600.0
SITES_PER_BENCH = 100


class SyntheticServer:
    """A running API server with synthetic objects."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, name: str, /, **given: Any) -> Any:
        """Sends a control request: see `benchmark.server.MeasuredServer.control`."""
        request = urllib.request.Request(f"{self.url}{CONTROL}{name}", json.dumps(given).encode())  # noqa: S310
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - our own loopback address
            return json.loads(answer.read())

    @contextmanager
    def kubeconfig(self, url: str = "") -> Iterator[Path]:
        """A kubeconfig for it, or for another address that leads to it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kubeconfig"
            path.write_text(json.dumps(_config(url or self.url)))
            yield path


@contextmanager
def synthetic(sites: int | Sequence[int], **size: Any) -> Iterator[SyntheticServer]:
    """A server with so many sites, in a process of its own, on a core of its own.

    `sites`: on benches of a hundred, or for each bench how many. `size`: see `Size`.
    """
    size["benches"] = [SITES_PER_BENCH] * (sites // SITES_PER_BENCH) if isinstance(sites, int) else list(sites)
    argv = [sys.executable, "-m", "benchmark.server", json.dumps(size)]
    process = subprocess.Popen(pinned(SERVER_CORE, argv), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().isdecimal():
                break
        else:
            raise RuntimeError("the synthetic API server did not start")
        yield SyntheticServer(int(line))
    finally:
        process.kill()
        process.communicate()


def _config(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "synthetic", "cluster": {"server": url}}],
        "users": [{"name": "synthetic", "user": {"token": "none"}}],
        "contexts": [{"name": "synthetic", "context": {"cluster": "synthetic", "user": "synthetic"}}],
        "current-context": "synthetic",
    }
