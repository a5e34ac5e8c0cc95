"""The operator as a process: signals, leader election, health endpoints and the engine."""

import asyncio
import gc
import os
import signal
import socket
import time
import uuid
from collections.abc import Sequence

import structlog

from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process import log as logging
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.process.health import Health
from frappe_operator.runtime.process.leader import Fence, Leader
from frappe_operator.runtime.process.settings import Settings

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 0.4
"""How long reconciles may go on after a signal to stop. The rest is dropped: the next leader reconciles everything."""
RELEASE_SECONDS = 0.4
"""How long the release of the Lease may take."""

GARBAGE_THRESHOLDS = (10_000, 20, 50)
"""Thresholds of Python's cycle collector. With its defaults (700, 10, 10) a busy operator pauses for 20 ms several
times a second, and little is found: nearly all objects are freed by reference counting."""


async def run(settings: Settings, controllers: Sequence[Controller]) -> int:
    """Runs until SIGTERM or SIGINT (exit code 0), or until this process is not the leader any more (exit code 1).

    Raises AccessError when no usable kubeconfig or service account exists.
    """
    logging.configure(settings.log_format, settings.log_level)
    access = find(settings.kubeconfig)
    # The name of the pod is for people; the random part makes every process different, as the Lease needs it.
    identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    # The Lease has connections of its own: among many that died silently a live one would not be found in time.
    async with HttpTransport(access) as transport, HttpTransport(access) as for_lease:
        namespace = settings.lease_namespace or access.namespace
        leader = Leader(Client(for_lease), namespace, settings.lease_name, identity, clock=time.time)
        engine = Engine(
            Fence(transport, leader.may_write),
            controllers,
            namespaces=settings.namespaces,
            workers=settings.workers,
            instance=identity,
        )
        async with Health(engine, settings.health_address, settings.health_port, lambda: _measure(engine, leader)):
            log.info("started", server=access.server, namespaces=list(settings.namespaces) or "all", identity=identity)
            return await _run_until_stopped(engine, leader)


async def _run_until_stopped(engine: Engine, leader: Leader) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    work = asyncio.create_task(engine.run(leader.leading), name="engine")
    settle = asyncio.create_task(_freeze_caches(engine), name="freeze")
    election = asyncio.create_task(_elect(engine, leader), name="leader")
    signalled = asyncio.create_task(stopped.wait(), name="signals")
    try:
        await asyncio.wait({work, election, signalled}, return_when=asyncio.FIRST_COMPLETED)
        for ended in (work, election):
            if ended.done():
                # Network failures are retried inside: an exception that gets here is a bug, and is shown in full.
                await ended
        if signalled.done():
            log.info("stopping")
            await engine.drain(DRAIN_SECONDS)
        return 0 if signalled.done() else 1
    finally:
        # Nothing is written after the Lease is released.
        for task in (work, election, settle, signalled):
            task.cancel()
        await asyncio.gather(work, election, settle, signalled, return_exceptions=True)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await leader.release()
        except TimeoutError:
            log.info("Lease was not released in time; it expires by itself")


async def _elect(engine: Engine, leader: Leader) -> None:
    # A process without complete caches would only keep another one from working.
    await engine.synced.wait()
    await leader.run()


async def _freeze_caches(engine: Engine) -> None:
    """Excludes the filled caches from garbage collection: their objects stay, and need not be visited each time."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    await engine.synced.wait()
    gc.collect()
    gc.freeze()


def _measure(engine: Engine, leader: Leader) -> None:
    engine.measure()
    engine.metrics.leading.set(leader.leading.is_set())
