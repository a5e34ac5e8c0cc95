"""The operator as a process: signals, leader, health, and the engine between them."""

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
"""For what is being worked on when the process is told to go. The rest is dropped: the next leader looks at all."""
RELEASE_SECONDS = 0.4

GARBAGE_THRESHOLDS = (10_000, 20, 50)
"""After how many new objects cycles are looked for, and how often among the old ones. With Python's own (700, 10, 10) a
busy operator stands still for 20 ms several times a second; there are few cycles, for what is let go is counted."""


async def run(settings: Settings, controllers: Sequence[Controller]) -> int:
    """Runs until it is told to go (SIGTERM, SIGINT: 0) or is not the leader any more (1). Returns the exit code.

    Raises AccessError when nothing says where the cluster is.
    """
    logging.configure(settings.log_format, settings.log_level)
    access = find(settings.kubeconfig)
    # The pod's name is for people; what is never the same twice is for the Lease.
    identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    # The Lease has connections of its own: among many that died without a word a live one is not found in time.
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
            return await _until_told(engine, leader)


async def _until_told(engine: Engine, leader: Leader) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    work = asyncio.create_task(engine.run(leader.leading), name="engine")
    settle = asyncio.create_task(_keep_what_is_known(engine), name="freeze")
    election = asyncio.create_task(_elect(engine, leader), name="leader")
    ordered = asyncio.create_task(told.wait(), name="signals")
    try:
        await asyncio.wait({work, election, ordered}, return_when=asyncio.FIRST_COMPLETED)
        for ended in (work, election):
            if ended.done():
                # Trouble of the network is waited out: what comes here is a mistake of ours, and is shown in full.
                await ended
        if ordered.done():
            log.info("told to go")
            await engine.drain(DRAIN_SECONDS)
        return 0 if ordered.done() else 1
    finally:
        # Nothing is written after the Lease is let go.
        for task in (work, election, settle, ordered):
            task.cancel()
        await asyncio.gather(work, election, settle, ordered, return_exceptions=True)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await leader.release()
        except TimeoutError:
            log.info("lease not released in time, it runs out by itself")


async def _elect(engine: Engine, leader: Leader) -> None:
    # Whoever knows nothing yet would only keep the one who does from working.
    await engine.synced.wait()
    await leader.run()


async def _keep_what_is_known(engine: Engine) -> None:
    """What is known after the first look stays for long: the garbage collector need not walk it again and again."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    await engine.synced.wait()
    gc.collect()
    gc.freeze()


def _measure(engine: Engine, leader: Leader) -> None:
    engine.measure()
    engine.metrics.leading.set(leader.leading.is_set())
