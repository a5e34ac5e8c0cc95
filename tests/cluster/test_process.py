"""The operator's process, against the real API server: it begins, leads, hands over, dies."""

import asyncio
import signal
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from frappe_operator.api.kinds import BENCH
from sandbox.cluster import Cluster
from sandbox.installation import Kubectl
from tests import definitions

pytestmark = [pytest.mark.cluster]

HANDOVER_SECONDS = 1.0
FAILOVER_SECONDS = 6.0


class Running:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.lines: list[str] = []
        self._more = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode())
            self._more.set()

    async def says(self, text: str, within: float = 30.0) -> None:
        """Waits for a line with these words, said from now on or before."""
        async with asyncio.timeout(within):
            while not any(text in line for line in self.lines):
                self._more.clear()
                await self._more.wait()

    async def ask(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await self.process.wait()
        await self._reader
        return code


class Processes:
    """A namespace of this test's own, in which operators run."""

    def __init__(self, kubectl: Kubectl, namespace: str, start: Callable[[], Awaitable[Running]]) -> None:
        self.kubectl = kubectl
        self.namespace = namespace
        self.start = start

    def add_bench(self, name: str) -> None:
        metadata = {"namespace": self.namespace, "name": name}
        spec = {"frappeVersion": "version-15"}
        self.kubectl.apply({"apiVersion": BENCH.api_version, "kind": "FrappeBench", "metadata": metadata, "spec": spec})

    def bench(self, name: str) -> dict[str, Any]:
        return self.kubectl.get("-n", self.namespace, "frappebench", name)


@pytest.fixture
async def processes(control_plane: Cluster) -> AsyncIterator[Processes]:
    kubectl = Kubectl.of(control_plane)
    definitions.install(control_plane)
    namespace = f"process-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    running: list[Running] = []

    async def start() -> Running:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        arguments = ["-m", "tests.cluster.counting_operator", str(control_plane.kubeconfig), namespace, str(port)]
        output = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=output, stderr=asyncio.subprocess.STDOUT
        )
        running.append(Running(process, port))
        return running[-1]

    yield Processes(kubectl, namespace, start)
    for each in running:
        await each.end()
    kubectl("delete", "namespace", namespace, "--wait=false")


async def test_it_does_its_work_and_says_how_it_is(processes: Processes) -> None:
    processes.add_bench("harbour")
    one = await processes.start()
    await one.says(f"reconciled {processes.namespace}/harbour")
    assert await one.ask("/healthz") == (200, "ok\n")
    assert await one.ask("/readyz") == (200, "ok\n")
    _, metrics = await one.ask("/metrics")
    assert 'frappe_operator_requests_total{kind="ConfigMap",status="201",verb="apply"} 1.0' in metrics
    assert "frappe_operator_leading 1.0" in metrics
    assert 'frappe_operator_watch_age_seconds{kind="ConfigMap"' in metrics
    ready = {each["type"]: each["status"] for each in processes.bench("harbour")["status"]["conditions"]}
    assert ready["Ready"] == "True"


async def test_told_to_go_it_hands_over_at_once(processes: Processes) -> None:
    one = await processes.start()
    await one.says('"became the leader"')
    two = await processes.start()
    await two.says("caches are complete")
    await asyncio.sleep(2)
    processes.add_bench("harbour")
    await one.says("reconciled")
    began = time.monotonic()
    one.process.send_signal(signal.SIGTERM)
    await two.says("reconciled", within=10)
    took = time.monotonic() - began
    assert await one.end(signal.SIGTERM) == 0
    assert took <= HANDOVER_SECONDS + 1, "a second more for a machine that does other things"


async def test_killed_it_is_replaced_in_time(processes: Processes) -> None:
    one = await processes.start()
    await one.says('"became the leader"')
    two = await processes.start()
    await two.says("caches are complete")
    processes.add_bench("harbour")
    await one.says("reconciled")
    began = time.monotonic()
    await one.end(signal.SIGKILL)
    await two.says("reconciled", within=20)
    assert time.monotonic() - began <= FAILOVER_SECONDS + 1, "a second more for a machine that does other things"


async def test_without_a_cluster_it_says_what_to_do(control_plane: Cluster) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.cluster.counting_operator", "/nowhere/kubeconfig", "x", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode != 0
    assert b"There is no kubeconfig at /nowhere/kubeconfig" in said
