"""The real way out, with a real server on the loopback that misbehaves."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from frappe_operator.kube.kinds import POD
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.errors import TooManyRequests
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import Access
from frappe_operator.runtime.client.transport import TransportError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server on a free port; its address."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_a_request_is_sent_and_its_answer_returned(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        said = f"{request.method} {request.path} {request.query['labelSelector']} {await request.text()}"
        return web.Response(status=201, text=said, headers={"Retry-After": "7"})

    async with HttpTransport(Access(await serve(handler))) as transport:
        answer = await transport.request("POST", "/api/v1/pods", query={"labelSelector": "a=b,c"}, body=b"x", timeout=5)
    assert (answer.status, answer.body) == (201, b"POST /api/v1/pods a=b,c x")
    assert answer.headers["retry-after"] == "7"


async def test_a_new_token_is_used_without_a_restart(serve: Serve, tmp_path: Path) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=200 if seen[-1] == "Bearer new" else 401)

    token = tmp_path / "token"
    token.write_text("old")
    async with HttpTransport(Access(await serve(handler), token_file=token)) as transport:
        await transport.request("GET", "/", timeout=5)
        token.write_text("new")
        answer = await transport.request("GET", "/", timeout=5)
    assert seen == ["Bearer old", "Bearer new"]
    assert answer.status == 200


async def test_a_token_file_that_cannot_be_read_is_a_transport_error(serve: Serve, tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    access = Access(await serve(handler), token_file=tmp_path / "none")
    async with HttpTransport(access) as transport:
        with pytest.raises(TransportError):
            await transport.request("GET", "/", timeout=5)


async def test_a_missing_answer_is_a_transport_error(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with HttpTransport(Access(await serve(handler))) as transport:
        with pytest.raises(TransportError):
            await transport.request("GET", "/", timeout=0.2)
        with pytest.raises(TransportError):
            async with transport.stream("/", timeout=0.2):
                pass


async def test_a_truncated_answer_is_a_transport_error(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return answer

    async with HttpTransport(Access(await serve(handler))) as transport:
        with pytest.raises(TransportError):
            await transport.request("GET", "/", timeout=5)
        with pytest.raises(TransportError):
            async with transport.stream("/", timeout=5) as stream:
                assert [chunk async for chunk in stream] != []


async def test_a_refused_connection_is_a_transport_error() -> None:
    async with HttpTransport(Access("http://127.0.0.1:1")) as transport:
        with pytest.raises(TransportError):
            await transport.request("GET", "/", timeout=5)


async def test_a_stream_comes_as_it_is_sent_and_is_left_at_once(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first\n")
        await asyncio.sleep(30)
        return answer

    async with HttpTransport(Access(await serve(handler))) as transport:
        async with asyncio.timeout(5):
            async with transport.stream("/", timeout=5) as stream:
                async for chunk in stream:
                    assert chunk == b"first\n"
                    break


async def test_compression_is_not_requested(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Accept-Encoding"])

    async with HttpTransport(Access(await serve(handler))) as transport:
        assert (await transport.request("GET", "/", timeout=5)).body == b"identity"


async def test_retry_after_is_part_of_the_exception(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=429, text='{"reason": "TooManyRequests"}', headers={"Retry-After": "9"})

    async with HttpTransport(Access(await serve(handler))) as transport:
        with pytest.raises(TooManyRequests) as caught:
            await Client(transport).get(POD, "ns", "x")
    assert caught.value.retry_after == 9


async def test_a_new_authority_is_believed_without_a_restart(serve: Serve, tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    made: list[int] = []

    class Counted(Access):
        def tls(self) -> None:
            made.append(1)

    ca = tmp_path / "ca.crt"
    ca.write_text("one")
    transport = HttpTransport(Counted(await serve(handler), ca_file=ca))
    async with transport:
        await transport.request("GET", "/", timeout=5)
        await transport.request("GET", "/", timeout=5)
        assert len(made) == 1
        ca.write_text("two")
        os.utime(ca, (1, 1))
        transport._read_at = float("-inf")
        await transport.request("GET", "/", timeout=5)
        assert len(made) == 2
