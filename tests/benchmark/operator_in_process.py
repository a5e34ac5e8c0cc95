"""The operator's engine and controllers in this process, with the benchmark's API server as their transport."""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from benchmark.operator_process import controllers
from benchmark.server import MeasuredServer
from benchmark.synthetic_objects import Size
from benchmark.templates import Template, templates
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process.engine import Engine

PATIENCE_SECONDS = 120.0


@functools.cache
def models() -> list[Template]:
    """Made once for all tests."""
    return templates()


def server_with(*benches: int) -> MeasuredServer:
    """A server with benches of so many sites each, ready and right."""
    return MeasuredServer(models(), Size(benches))


class RunningOperator:
    """An operator that has running_operator, and what it does."""

    def __init__(self, server: MeasuredServer) -> None:
        self.server = server
        self.reconciled: list[Key] = []
        """Sites, in the order in which their reconciles began."""
        self._done = asyncio.Event()
        self.engine = Engine(server, [self._counted(each) for each in controllers()])

    def _counted(self, controller: Controller) -> Controller:
        async def reconcile(cluster: Cluster, key: Key) -> float | None:
            if controller.kind == SITE:
                self.reconciled.append(key)
            try:
                return await controller.reconcile(cluster, key)
            finally:
                self._done.set()

        return controller._replace(reconcile=reconcile)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until the condition holds; it is checked after each reconcile."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                self._done.clear()
                await self._done.wait()

    async def settled(self) -> None:
        """Waits until every site was reconciled and the queues are empty."""
        sites = len(self.engine.cluster.cache.stores[SITE])
        await self.until(lambda: len(set(self.reconciled)) == sites and not any(map(self._busy, self.engine.queues)))

    def _busy(self, kind: Kind) -> bool:
        queue = self.engine.queues[kind]
        # The one that asks is still at work itself.
        return len(queue) > 0 or queue.running > 1


@asynccontextmanager
async def running_operator(server: MeasuredServer) -> AsyncIterator[RunningOperator]:
    """An operator that knows everything and has just running_operator to work."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    operator = RunningOperator(server)
    leading = asyncio.Event()
    running = asyncio.create_task(operator.engine.run(leading))
    try:
        await operator.engine.synced.wait()
        leading.set()
        yield operator
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        structlog.reset_defaults()


async def cpu_of_a_start(sites: int) -> float:
    """Seconds of CPU for each site, until all were reconciled."""
    server = server_with(*[100] * (sites // 100))
    began = time.process_time()
    async with running_operator(server) as operator:
        await operator.settled()
        took = time.process_time() - began
        assert not server.operator_writes()
    return took / sites
