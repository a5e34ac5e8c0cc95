"""The operator under measurement: its controllers for this process, or `frappe-operator run` as a process."""

import asyncio
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.machine import OPERATOR_CORE, Usage, pinned
from frappe_operator.bench import controller as bench
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.queue.queue import MIN_INTERVAL_SECONDS
from frappe_operator.site import controller as site

PATIENCE_SECONDS = 900.0
POLL_SECONDS = 0.3


def controllers() -> Sequence[Controller]:
    """The operator's own; every site answers a ping, no proxy says which sites it knows."""
    hosts = HostGrants()
    return [
        bench.controller(Images(), lambda: "token", hosts),
        site.controller(Images(), lambda: "token", _pong, hosts),
    ]


async def _pong(url: str, host: str) -> Answer:
    await asyncio.sleep(0)
    return Answer(200, "")


class Process:
    """`frappe-operator run`, started for a measurement."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log
        self.usage = Usage(process.pid)
        self._address = ""

    def log_lines(self, words: str) -> list[str]:
        """Lines of its log with these words."""
        return [line for line in self.log.read_text().splitlines() if words in line]

    def metrics(self) -> dict[str, float]:
        """Its metrics, by name and labels as Prometheus writes them; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self._url}/metrics", timeout=30) as answer:  # noqa: S310 - loopback
                text = answer.read().decode()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    @property
    def _url(self) -> str:
        # The operator was started with port 0; the kernel knows which port it got.
        if not self._address:
            self._address = _listening(self.process.pid)
        return self._address

    def reconciled(self, kind: str) -> float:
        """How many reconciles of a kind have ended without a requeue."""
        name = f'frappe_operator_reconcile_seconds_count{{kind="{kind}",outcome="done"}}'
        return self.metrics().get(name, 0.0)

    def until(self, true: Callable[[], bool], what: str, pause: float = 0.5, within: float = PATIENCE_SECONDS) -> None:
        """Waits. Raises RuntimeError with the end of the log when it ends, TimeoutError when it takes too long."""
        ends = time.monotonic() + within
        while not true():
            if self.process.poll() is not None:
                raise RuntimeError(f"the operator ended: {self.log.read_text()[-3000:]}")
            if time.monotonic() > ends:
                raise TimeoutError(f"waiting for {what}: {self.log.read_text()[-1000:]}")
            time.sleep(pause)

    def until_synced(self) -> None:
        """Waits until every watch has listed what exists."""
        self.until(lambda: bool(self.log_lines('"caches are complete"')), "everything to be known", 0.05)

    def until_settled(self, **objects: int) -> None:
        """Waits for so many reconciles of each kind, and then until no key was queued or running for a while."""
        calm = 0.0

        def settled() -> bool:
            nonlocal calm
            told = self.metrics()
            reconciled = all(
                told.get(f'frappe_operator_reconcile_seconds_count{{kind="{kind}",outcome="done"}}', 0) >= count
                for kind, count in objects.items()
            )
            states = (f'{{kind="{kind}",state="{state}"}}' for kind in objects for state in ("ready", "running"))
            busy = any(told.get(f"frappe_operator_queue_keys{state}", 1) for state in states)
            calm = calm + POLL_SECONDS if reconciled and not busy else 0.0
            return calm > MIN_INTERVAL_SECONDS

        self.until(settled, f"{objects} to be reconciled", POLL_SECONDS)


@contextmanager
def operator(kubeconfig: Path, log: Path, *options: str, core: int | None = OPERATOR_CORE) -> Iterator[Process]:
    """Starts `frappe-operator run`, its log in a file; kills it at the end. `core`: where it runs; None: anywhere."""
    argv = [sys.executable, "-m", "frappe_operator.cli", "run", f"--kubeconfig={kubeconfig}", "--health-port=0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(core, [*argv, *options]) if core is not None else [*argv, *options], stdout=output, stderr=output
        )
    try:
        yield Process(process, log)
    finally:
        process.kill()
        process.wait()


def _listening(pid: int) -> str:
    """The address on which a process listens."""
    inodes = set()
    for each in (Path("/proc") / str(pid) / "fd").iterdir():
        if match := re.match(r"socket:\[(\d+)\]", str(each.readlink())):
            inodes.add(match[1])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return f"http://127.0.0.1:{int(fields[1].partition(':')[2], 16)}"
    raise ConnectionError("it does not listen yet")
