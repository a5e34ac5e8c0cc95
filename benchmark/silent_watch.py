"""How long a dead watch goes unnoticed: a relay stops forwarding without closing its connections."""

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmark.edit_latency import Edits
from benchmark.figures import Measured
from benchmark.operator_process import operator
from benchmark.synthetic_server import SyntheticServer, synthetic

SITES = 1_000
EDITED = 500
TIMES = 3
CHUNK = 2**18


class Relay:
    """A TCP relay between the operator and the API server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        self._open: list[_Link] = []
        self.port = 0

    async def run(self, ready: threading.Event) -> None:
        """Forwards until it is stopped, in a thread of its own."""
        self._loop = asyncio.get_running_loop()
        listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        ready.set()
        await self._told.wait()
        listening.close()

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)

    def fall_silent(self, *, watches_only: bool) -> int:
        """Open connections forward nothing any more; returns how many. New ones work."""
        chosen = [link for link in self._open if not link.closed and (link.watch or not watches_only)]
        for link in chosen:
            link.silent = True
        return len(chosen)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        link = _Link()
        self._open.append(link)
        try:
            await asyncio.gather(link.forward(reader, back), link.forward(there, writer))
        finally:
            back.close()
            writer.close()


class _Link:
    def __init__(self) -> None:
        self.silent = self.closed = self.watch = False

    async def forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK):
            self.watch = self.watch or b"watch=1" in chunk[:2000]
            if not self.silent:
                target.write(chunk)
                await target.drain()
        self.closed = True
        target.close()


@contextmanager
def relay(server: SyntheticServer) -> Iterator[Relay]:
    """A relay to a server, in a thread of its own."""
    made = Relay(urlsplit(server.url).port or 0)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made.run(ready)), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        made.stop()
        thread.join()


def silence() -> list[Measured]:
    """silent_watch_s: from the edit of a site to the write that follows from it, while the watches are dead."""
    watches = [_silent(watches_only=True) for _ in range(TIMES)]
    everything = _silent(watches_only=False)
    return [
        Measured(
            "silent_watch_s",
            max(each["seconds"] for each in watches),
            f"`frappe-operator run` through a relay that stops forwarding on its open watches; a site is edited then; "
            f"until the write that follows from it, longest of {TIMES}",
            {
                "runs": [round(each["seconds"], 1) for each in watches],
                "median": round(statistics.median(each["seconds"] for each in watches), 1),
                "every_connection_silent": everything,
            },
        )
    ]


def _silent(*, watches_only: bool) -> dict[str, Any]:
    with (
        synthetic(sites=SITES) as server,
        relay(server) as between,
        server.kubeconfig(f"http://127.0.0.1:{between.port}") as kubeconfig,
        tempfile.TemporaryDirectory() as folder,
        operator(kubeconfig, Path(folder) / "log") as process,
    ):
        process.until_settled(FrappeSite=SITES)
        # Let the watches reach different ages.
        time.sleep(5)
        silenced = between.fall_silent(watches_only=watches_only)
        edits = Edits(server, {EDITED: EDITED // 100})
        edits.make(EDITED)
        ends = time.monotonic() + 120
        while time.monotonic() < ends and process.process.poll() is None:
            try:
                return {"seconds": edits.waits(within=0)[0] / 1000, "connections": silenced}
            except TimeoutError:
                time.sleep(0.2)
        return {"ended": process.process.returncode, "connections": silenced, "said": process.log.read_text()[-500:]}
