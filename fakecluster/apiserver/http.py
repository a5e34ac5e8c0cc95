"""The API server behind HTTP/1.1 on a socket, for an operator in another process."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl, unquote

from fakecluster.apiserver.server import JSON, ApiServer
from frappe_operator.runtime.client.transport import Headers, Query, Response

MOST_UNSENT = 2**20
"""Bytes; a watch whose reader is slower waits."""

Handler = Callable[[str, bytes], Awaitable[Response]]


class Connection(asyncio.Protocol):
    """One connection: one request after the other.

    `handlers` answer paths that begin with their key, with what stands behind it and the request's body.
    """

    def __init__(self, server: ApiServer, handlers: dict[str, Handler]) -> None:
        self._server = server
        self._handlers = handlers
        self._data = b""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = False

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=MOST_UNSENT)

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._task is None and (end := self._data.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._data[:end].decode().split("\r\n")
            headers = {name.title(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            after = end + 4 + int(headers.get("Content-Length", 0))
            if len(self._data) < after:
                return
            body, self._data = self._data[end + 4 : after], self._data[after:]
            method, target, _ = first.split(" ")
            self._request(method, target, headers, body)

    # --- one request

    def _request(self, method: str, target: str, headers: Headers, body: bytes) -> None:
        encoded, _, text = target.partition("?")
        path, query = unquote(encoded), dict(parse_qsl(text))
        for prefix, handler in self._handlers.items():
            if path.startswith(prefix):
                self._begin(self._handled(handler(path.removeprefix(prefix), body)))
                return
        if method == "GET" and query.get("watch") in {"1", "true"}:
            self._begin(self._watch(path, query, headers))
        else:
            self._send(self._server.answer(method, path, query, headers, body or None))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception():
            print(f"API server: {task.exception()!r}", file=sys.stderr, flush=True)
            self._transport.close()
        elif not self._closed:
            self.data_received(b"")

    async def _handled(self, answer: Awaitable[Response]) -> None:
        self._send(await answer)

    async def _watch(self, path: str, query: Query, headers: Headers) -> None:
        async with self._server.stream(path, query=query, headers=headers, timeout=0) as stream:
            if stream.status != 200:
                self._send(Response(stream.status, stream.headers, b"".join([line async for line in stream])))
                return
            self._transport.write(_head(200, {**JSON, "Transfer-Encoding": "chunked"}))
            async for lines in stream.batches:
                # Each line in a chunk of its own, as the real server flushes them.
                self._transport.write(b"".join([b"%x\r\n%b\r\n" % (len(line), line) for line in lines]))
                await self._writable.wait()
            self._transport.write(b"0\r\n\r\n")

    def _send(self, response: Response) -> None:
        length = {"Content-Length": str(len(response.body))}
        self._transport.write(_head(response.status, {**response.headers, **length}) + response.body)


def _head(status: int, headers: Headers) -> bytes:
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def listen(server: ApiServer, handlers: dict[str, Handler] | None = None) -> int:
    """Begins to listen on a port of the loopback address, which comes back. Ends with the event loop."""
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server, handlers or {}), "127.0.0.1", 0
    )
    port: int = listening.sockets[0].getsockname()[1]
    return port
