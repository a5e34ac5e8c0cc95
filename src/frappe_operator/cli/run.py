"""The operator as a process: event loop, HTTP session and random passwords for its controllers."""

import secrets

import aiohttp
import uvloop

from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.registry import Environment, controllers
from frappe_operator.runtime.client.fetch import http_fetch
from frappe_operator.runtime.process import operator
from frappe_operator.runtime.process.settings import Settings

TOKEN_BYTES = 24
"""Random bytes in a password, which is written in hexadecimal and so needs no escaping in URLs and configuration."""


def run(settings: Settings, images: Images) -> int:
    """Runs the operator until it receives SIGTERM or loses its Lease. Returns the exit code."""
    # A tenth to a fifth less CPU for each request than with the loop of the standard library.
    return uvloop.run(_run(settings, images))


async def _run(settings: Settings, images: Images) -> int:
    # Each site has its own host name and is probed rarely: keeping connections or cookies gains nothing.
    connector = aiohttp.TCPConnector(force_close=True, limit=64)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        environment = Environment(images, token, http_fetch(session), HostGrants())
        return await operator.run(settings, controllers(environment))


def token() -> str:
    """A new random password."""
    return secrets.token_hex(TOKEN_BYTES)
