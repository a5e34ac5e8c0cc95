"""The operator of one namespace in a real cluster: its processes, which crash and are restarted."""

import asyncio

from fakecluster.faults import FaultRun
from fakecluster.faulty_transport import FaultyTransport
from frappe_operator.api import kinds as api_kinds
from frappe_operator.bench import controller as bench
from frappe_operator.components.proxy import ANNOUNCED, UPGRADING_PATH
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.site import controller as site
from tests.faults.evidence import CANARY, ReconcileRecord, watched
from tests.faults.recording import Recorder

PATIENCE_SECONDS = 1.0
"""How long a request waits before it times out."""
RESTART_SECONDS = 0.2


class OperatorProcesses:
    """The operator of one namespace: one process after another, or two at once."""

    def __init__(self, network: Recorder, fault_run: FaultRun, namespace: str) -> None:
        self._network = network
        self._course = fault_run
        self._namespace = namespace
        self._tokens = 0
        self._running: dict[asyncio.Task[None], Engine] = {}
        self._keeper: asyncio.Task[None] | None = None
        self.reconciles: list[ReconcileRecord] = []
        self._processes = 0
        self.failures: list[str] = []

    def begin(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def end(self) -> None:
        tasks = [*self._running, *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def crash(self) -> None:
        """The first process dies."""
        for task in list(self._running)[:1]:
            task.cancel()

    async def twin(self, seconds: float) -> None:
        """A second process works beside the first for a while."""
        task = self._start()
        await asyncio.wait([task], timeout=seconds)
        task.cancel()

    @property
    def idle(self) -> bool:
        queues = [queue for engine in self._running.values() for queue in engine.queues.values()]
        known = bool(self._running) and all(engine.synced.is_set() for engine in self._running.values())
        return known and not any(len(queue) or queue.running or queue.delayed for queue in queues)

    async def _keep(self) -> None:
        while True:
            await asyncio.wait([self._start()])
            await asyncio.sleep(RESTART_SECONDS)

    def _start(self) -> asyncio.Task[None]:
        self._processes += 1
        holder: list[asyncio.Task[None]] = []

        def die() -> None:
            holder[0].cancel()

        faults = FaultyTransport(self._network, api_kinds.ALL.values(), self._course, die, PATIENCE_SECONDS)
        hosts = HostGrants()
        controllers = [
            bench.controller(Images(), self._token, hosts),
            site.controller(Images(), self._token, _fetch, hosts),
        ]
        seen = [
            watched(each, self._processes, asyncio.get_running_loop().time, self.reconciles) for each in controllers
        ]
        engine = Engine(faults, seen, namespaces=(self._namespace,), strict=True)
        leading = asyncio.Event()
        leading.set()
        task = asyncio.create_task(engine.run(leading))
        holder.append(task)
        self._running[task] = engine
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()):
            self.failures.append(f"the operator ended: {error!r}")

    def _token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens:04d}-{CANARY}"


async def _fetch(url: str, host: str) -> Answer:
    """The HTTP answer that running pods would give: there is one site in a namespace, and each proxy pod has its
    maintenance page."""
    return Answer(200, f"{ANNOUNCED}\n" if url.endswith(UPGRADING_PATH) else "acme.example.com\n")
