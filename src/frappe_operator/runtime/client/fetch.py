"""One HTTP request to a pod or Service."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp

TIMEOUT_SECONDS = 10
LARGEST = 4096
"""How many bytes of an answer are read."""


class Answer(NamedTuple):
    """The answer. Status 0: there was none, and `body` says why."""

    status: int
    body: str


Fetch = Callable[[str, str], Awaitable[Answer]]
"""Requests a URL with a Host header: `await fetch("http://10.0.0.1:8080/healthz", "shop.example.com")`."""


def http_fetch(session: aiohttp.ClientSession) -> Fetch:
    """Requests over the network. Redirects are not followed: a user would decide where they lead."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)

    async def fetch(url: str, host: str) -> Answer:
        try:
            async with session.get(url, headers={"Host": host}, timeout=timeout, allow_redirects=False) as response:
                return Answer(response.status, (await response.content.read(LARGEST)).decode(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(0, str(error) or type(error).__name__)

    return fetch
