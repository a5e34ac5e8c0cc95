"""One question over HTTP: what comes back, and where it does not lead."""

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from frappe_operator.runtime.client.fetch import LARGEST, Answer, http_fetch


async def answered(handler: Handler | None, host: str = "shop.example.com") -> Answer:
    """What is fetched from a server with this handler; without one, from where nobody listens."""
    app = web.Application()
    if handler is not None:
        app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    if handler is None:
        await runner.cleanup()
    async with aiohttp.ClientSession() as session:
        answer = await http_fetch(session)(f"http://127.0.0.1:{port}/api/method/ping", host)
    await runner.cleanup()
    return answer


async def test_the_host_header_is_sent() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=418, text=request.headers["Host"])

    assert await answered(handler) == Answer(418, "shop.example.com")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert (await answered(handler)).status == 302
    assert asked == ["/api/method/ping"]


async def test_of_a_long_answer_the_beginning_is_read() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="x" * LARGEST * 1000)

    assert 0 < len((await answered(handler)).body) <= LARGEST


async def test_a_missing_answer_has_status_zero_and_a_message() -> None:
    answer = await answered(None)
    assert answer.status == 0
    assert answer.body
