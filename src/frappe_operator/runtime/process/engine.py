"""Informers fill the cache, event handlers enqueue, workers reconcile: everything between the transport and the
controllers."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.cache import Cache, CachedKind
from frappe_operator.runtime.cache.informer import Informer
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Transport
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, cached_kinds
from frappe_operator.runtime.process.metrics import Metrics
from frappe_operator.runtime.queue.handlers import EventHandlers
from frappe_operator.runtime.queue.queue import Priority, Queue
from frappe_operator.runtime.queue.reconcile import reconcile_key
from frappe_operator.runtime.queue.step_scheduler import StepScheduler

log = structlog.get_logger(__name__)

WORKERS = 32
"""How many objects of one kind are reconciled concurrently."""


class Engine:
    """The operator without what belongs to its process: signals, leader election and HTTP endpoints."""

    def __init__(
        self,
        transport: Transport,
        controllers: Sequence[Controller],
        *,
        namespaces: Sequence[str] = (),
        workers: int = WORKERS,
        strict: bool = False,
        instance: str = "",
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        metrics: Metrics | None = None,
    ) -> None:
        """`namespaces`: the only ones that are watched; empty: all. `strict`: the API server refuses unknown fields.
        `clock`: seconds since 1970, for times that are written; intervals are measured by the event loop."""
        self.metrics = metrics or Metrics()
        self.controllers = controllers
        self._workers = workers
        self._jitter = jitter
        self.queues: dict[Kind, Queue] = {each.kind: Queue(workers=workers, jitter=jitter) for each in controllers}
        self._steps = StepScheduler()
        self.client = Client(transport, strict=strict, observer=self.metrics.request, step=self._steps.step)
        self.handlers = EventHandlers(controllers, self._enqueue)
        self.cache = Cache(cached_kinds(controllers), namespaces)
        self.cluster = Cluster(
            self.client,
            self.cache,
            changed=self.handlers.changed,
            requeue=self._requeue,
            clock=clock,
            instance=instance,
        )
        self.informers = [informer for each in self.cache.kinds.values() for informer in self._informers(each)]
        self.synced = asyncio.Event()
        """Set once all caches are complete."""
        self._reconciled = asyncio.Event()
        """Set each time a reconcile has ended."""

    async def run(self, leading: asyncio.Event) -> None:
        """Fills the caches, and reconciles once `leading` is set. Ends by being cancelled."""
        async with asyncio.TaskGroup() as tasks:
            own = {controller.kind for controller in self.controllers}
            # Owners before children: the owner of a child is cached when the child is.
            for owners in (True, False):
                informers = [each for each in self.informers if (each.store.kind in own) is owners]
                for informer in informers:
                    tasks.create_task(informer.run())
                for informer in informers:
                    # A kind that is not installed must not keep the others from being cached.
                    await informer.answered.wait()
            for informer in self.informers:
                await informer.synced.wait()
            self.synced.set()
            log.info("caches are complete", objects=sum(len(store) for store in self.cache.stores.values()))
            await leading.wait()
            self._begin(tasks)

    async def drain(self, seconds: float) -> None:
        """Starts no more reconciles, and waits for those under way for so many seconds at most."""
        for queue in self.queues.values():
            queue.close()
        try:
            async with asyncio.timeout(seconds):
                while any(queue.running for queue in self.queues.values()):
                    self._reconciled.clear()
                    await self._reconciled.wait()
        except TimeoutError:
            log.info("reconciles were not finished in time", keys=sum(queue.running for queue in self.queues.values()))

    def measure(self) -> None:
        """Updates the gauges: metrics that are not counted when something happens."""
        now = asyncio.get_running_loop().time()
        for informer in self.informers:
            self.metrics.watch_age.labels(informer.kind, informer.namespace).set(now - informer.last_activity)
            self.metrics.broken.labels(informer.kind, informer.namespace).set(informer.undecodable)
        for kind, store in self.cache.stores.items():
            self.metrics.objects.labels(kind.kind).set(len(store))
        for kind, queue in self.queues.items():
            states = {"ready": len(queue), "running": queue.running, "delayed": queue.delayed}
            for state, keys in states.items():
                self.metrics.keys.labels(kind.kind, state).set(keys)

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        self.cluster.leading_since = self.cluster.now()
        self.handlers.start(self.cluster)
        for controller in self.controllers:
            for live in self.cluster.all(controller.kind):
                self.queues[controller.kind].add(live.metadata.key, Priority.RESYNC)
            for _ in range(self._workers):
                tasks.create_task(self._work(controller))
            if controller.background is not None:
                tasks.create_task(controller.background(self.cluster, self._jitter))

    async def _work(self, controller: Controller) -> None:
        queue = self.queues[controller.kind]
        while True:
            key = await queue.take()
            try:
                if queue.is_edit(key):
                    with self._steps.urgent():
                        await self._reconcile(controller, queue, key)
                else:
                    await self._steps.step()
                    await self._reconcile(controller, queue, key)
            finally:
                queue.done(key)
                self._reconciled.set()

    async def _reconcile(self, controller: Controller, queue: Queue, key: Key) -> None:
        began = asyncio.get_running_loop().time()
        outcome = await reconcile_key(self.cluster, controller, queue, key)
        self.metrics.reconciled(controller.kind, outcome, asyncio.get_running_loop().time() - began)

    def _informers(self, each: CachedKind) -> list[Informer]:
        store, decoder, namespaces = self.cache.stores[each.kind], self.cache.decoders[each.kind], self.cache.namespaces
        scoped = namespaces if each.kind.namespaced and namespaces else ("",)
        # Permissions in some namespaces only do not include kinds that are in none.
        optional = each.optional or (bool(namespaces) and not each.kind.namespaced)
        return [
            Informer(
                self.client,
                store,
                decoder,
                self.handlers.changed,
                namespace=namespace,
                labels=each.labels,
                fields=each.fields,
                metadata_only=each.metadata_only,
                installed=partial(self.handlers.resync, each.kind),
                optional=optional,
                install=each.install,
                jitter=self._jitter,
            )
            for namespace in scoped
        ]

    def _enqueue(self, kind: Kind, key: Key, priority: Priority) -> None:
        self.queues[kind].add(key, priority)

    def _requeue(self, kind: Kind, key: Key, seconds: float) -> None:
        if seconds > 0:
            self.queues[kind].add_after(key, seconds)
        else:
            self.queues[kind].add(key)
