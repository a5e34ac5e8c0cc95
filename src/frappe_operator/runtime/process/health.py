"""The HTTP endpoints of the process: liveness, readiness and metrics."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from frappe_operator.runtime.process.engine import Engine

SILENT_AFTER_SECONDS = 120.0
"""After so long without a byte on a watch the cache may be outdated."""


class Health(AbstractAsyncContextManager["Health"]):
    """Serves `/healthz`, `/readyz` and `/metrics` on one address, inside `async with`."""

    def __init__(self, engine: Engine, address: str, port: int, measure: Callable[[], None]) -> None:
        """`measure` updates the gauges before they are read."""
        self._engine = engine
        self._address = address
        self._port = port
        self._measure = measure
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; with port 0 the system has chosen it."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> "Health":
        app = web.Application()
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, self._port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _alive(self, _: web.Request) -> web.Response:
        # An answer shows that the event loop runs. An unreachable API server is no reason for a restart.
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        cache = self._engine.cache
        required = [each.kind for each in cache.kinds.values() if not each.optional]
        if missing := [message for kind in required if (message := cache.not_installed(kind))]:
            return web.Response(status=503, text="".join(f"{message}\n" for message in missing))
        if not self._engine.synced.is_set():
            waiting = sorted({each.kind for each in self._engine.informers if not each.synced.is_set()})
            return web.Response(status=503, text=f"not all objects are cached yet: {', '.join(waiting)}\n")
        now = asyncio.get_running_loop().time()
        silent = sorted(
            {each.kind for each in self._engine.informers if now - each.last_activity > SILENT_AFTER_SECONDS}
        )
        if silent:
            return web.Response(status=503, text=f"no answer from the API server for too long: {', '.join(silent)}\n")
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        self._measure()
        body = generate_latest(self._engine.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
