"""One question over HTTP to a pod or Service: is it there, and what does it say."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp

TIMEOUT_SECONDS = 10
LARGEST = 4096
"""Bytes of an answer that are read."""


class Answer(NamedTuple):
    """What came back. Status 0: nobody answered, and `body` says why."""

    status: int
    body: str


Fetch = Callable[[str, str], Awaitable[Answer]]
"""Asks a URL, with the host name to ask for: `await fetch("http://10.0.0.1:8080/healthz", "shop.example.com")`."""


def http_fetch(session: aiohttp.ClientSession) -> Fetch:
    """Asks over the network. Redirects are not followed: where they lead is the user's choice, not ours."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)

    async def fetch(url: str, host: str) -> Answer:
        try:
            async with session.get(url, headers={"Host": host}, timeout=timeout, allow_redirects=False) as response:
                return Answer(response.status, (await response.content.read(LARGEST)).decode(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(0, str(error) or type(error).__name__)

    return fetch
