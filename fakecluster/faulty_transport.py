"""A Transport on which the faults of a run happen."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager

import orjson

from fakecluster.apiserver.errors import StatusError
from fakecluster.apiserver.requests import parse_request
from fakecluster.apiserver.server import JSON, Stream
from fakecluster.faults import Fault, FaultRun
from frappe_operator.kube.kinds import Kind
from frappe_operator.runtime.client.transport import Headers, Query, Response, StreamResponse, Transport, TransportError

REFUSALS = {
    "403": StatusError(403, "Forbidden", "exceeded quota: small"),
    "409": StatusError(
        409, "Conflict", "the object has been modified; please apply your changes to the latest version"
    ),
    "429": StatusError(429, "TooManyRequests", "the server has received too many requests"),
    "500": StatusError(500, "InternalError", "Internal error occurred: etcdserver: request timed out"),
    "503": StatusError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
}


class FaultyTransport:
    """A Transport that lets the faults of a run happen to requests, and passes on the others. One for each process."""

    def __init__(
        self,
        inner: Transport,
        kinds: Iterable[Kind],
        fault_run: FaultRun,
        crash: Callable[[], None] = lambda: None,
        patience: float = math.inf,
    ) -> None:
        """`crash` ends the process. `patience`: how long a request hangs at most, where time is real."""
        self.inner = inner
        self.fault_run = fault_run
        self._kinds = list(kinds)
        self._crash = crash
        self._patience = patience

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> Response:
        async def send() -> Response:
            return await self.inner.request(method, path, query=query, headers=headers, body=body, timeout=timeout)

        request = parse_request(self._kinds, method, path, query or {}, headers or {}, body)
        if request is None:
            return await send()
        fault = self.fault_run.of_request(request)
        if fault is None:
            return await send()
        self.fault_run.happened.append(
            f"{fault.what} {'after' if fault.after else 'before'} {request.verb} of {request.ref}"
        )
        return await self._trouble(fault, send, timeout)

    async def _trouble(self, fault: Fault, send: Callable[[], Awaitable[Response]], seconds: float) -> Response:
        answer = await send() if fault.after or fault.what == "cut" else None
        if fault.what == "crash":
            self.fault_run.stale_start = fault.back, fault.seconds
            self._crash()
            await asyncio.get_running_loop().create_future()
        if fault.what == "timeout":
            await asyncio.sleep(min(seconds, self._patience))
            raise TransportError("Timeout on reading data from socket")
        if fault.what == "reset":
            raise TransportError("Connection reset by peer")
        if fault.what == "cut":
            assert answer is not None
            return answer._replace(body=answer.body[: len(answer.body) // 2])
        refused = REFUSALS[fault.what]
        pause = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
        return Response(refused.code, {**JSON, **pause}, orjson.dumps(refused.status()))

    def stream(
        self, path: str, *, query: Query | None = None, headers: Headers | None = None, timeout: float
    ) -> AbstractAsyncContextManager[StreamResponse]:
        request = parse_request(self._kinds, "GET", path, query or {}, headers or {}, None)
        inner = self.inner.stream(path, query=query, headers=headers, timeout=timeout)
        return self._troubled(inner, request.kind) if request is not None else inner

    @asynccontextmanager
    async def _troubled(
        self, inner: AbstractAsyncContextManager[StreamResponse], kind: Kind
    ) -> AsyncIterator[StreamResponse]:
        async with inner as answer:
            if answer.status != 200:
                yield answer
                return
            lines = self._lines(answer, kind)
            try:
                yield Stream(answer.status, answer.headers, lines)
            finally:
                await lines.aclose()

    async def _lines(self, answer: StreamResponse, kind: Kind) -> AsyncGenerator[list[bytes], None]:
        """The events of a watch, one a chunk, with what goes wrong."""
        held = b""
        with ExitStack() as holding:
            async for line in _lines_of(answer):
                if b'"BOOKMARK"' in line[:30]:
                    if held:
                        # A bookmark follows everything before it: it does not overtake.
                        yield [held]
                        held = b""
                        holding.close()
                    yield [line]
                    continue
                due = self.fault_run.of_event(kind)
                if due is not None:
                    self.fault_run.happened.append(f"watch of {kind.kind}: {due.what}")
                what = due.what if due is not None else ""
                if what == "drop":
                    raise TransportError("Response payload is not completed")
                if what == "gone":
                    gone = StatusError(410, "Expired", "too old resource version")
                    yield [orjson.dumps({"type": "ERROR", "object": gone.status()}) + b"\n"]
                    return
                if what == "silent":
                    with self.fault_run.withholding_events():
                        await asyncio.get_running_loop().create_future()
                if what == "delay":
                    with self.fault_run.withholding_events():
                        await asyncio.sleep(due.seconds if due is not None else 0)
                if what == "swap":
                    held += line
                    holding.enter_context(self.fault_run.withholding_events())
                    continue
                # Chunks end anywhere: cut each event in two.
                middle = len(line) // 2
                yield [line[:middle], line[middle:]]
                if what == "double":
                    yield [line]
                if held:
                    yield [held]
                    held = b""
                    holding.close()
            if held:
                yield [held]


async def _lines_of(answer: StreamResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in answer:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest
