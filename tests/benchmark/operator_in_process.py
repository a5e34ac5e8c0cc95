"""The product's controllers over a synthetic API server in the same process."""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from benchmark.inline import Inline
from benchmark.operator_process import controllers
from benchmark.synthetic_objects import Population, Size
from benchmark.templates import Template, templates
from frappe_operator.kube.kinds import SITE, Key, Kind
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process.engine import Engine

PATIENCE_SECONDS = 120.0


@functools.cache
def models() -> list[Template]:
    """Made once for all tests."""
    return templates()


def population(*benches: int) -> Population:
    """Benches with so many sites each, ready and right."""
    return Population(models(), Size(benches))


class Bed:
    """An operator that has begun, and what it does."""

    def __init__(self, transport: Inline) -> None:
        self.server = transport.server
        self.looks: list[Key] = []
        """Sites, in the order in which they were looked at."""
        self._looked = asyncio.Event()
        self.engine = Engine(transport, [self._counted(each) for each in controllers()])

    def _counted(self, controller: Controller) -> Controller:
        async def reconcile(cluster: Cluster, key: Key) -> float | None:
            if controller.kind == SITE:
                self.looks.append(key)
            try:
                return await controller.reconcile(cluster, key)
            finally:
                self._looked.set()

        return controller._replace(reconcile=reconcile)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits, asking again after each look."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                self._looked.clear()
                await self._looked.wait()

    async def settled(self) -> None:
        """Until every site was looked at and nothing waits."""
        sites = len(self.engine.cluster.cache.stores[SITE])
        await self.until(lambda: len(set(self.looks)) == sites and not any(map(self._busy, self.engine.queues)))

    def _busy(self, kind: Kind) -> bool:
        queue = self.engine.queues[kind]
        # The one that asks is still at work itself.
        return len(queue) > 0 or queue.running > 1


@asynccontextmanager
async def begun(there: Population) -> AsyncIterator[Bed]:
    """An operator that knows everything and has just begun to work."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    bed = Bed(Inline(there))
    leading = asyncio.Event()
    running = asyncio.create_task(bed.engine.run(leading))
    try:
        await bed.engine.synced.wait()
        leading.set()
        yield bed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        structlog.reset_defaults()


async def cpu_of_a_start(sites: int) -> float:
    """Seconds of CPU for each site, until all were looked at."""
    there = population(*[100] * (sites // 100))
    began = time.process_time()
    async with begun(there) as bed:
        await bed.settled()
        took = time.process_time() - began
        assert not bed.server.writes
    return took / sites
