"""The interface to the network: requests and streams to the API server.

All other code uses a `Transport`, so that a test can replace the API server or the network.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

Query = Mapping[str, str]
Headers = Mapping[str, str]


class TransportError(Exception):
    """A request without an answer: no connection, a timeout, a connection that was cut. Whether the API server has
    carried it out is unknown."""


class Response(NamedTuple):
    """A complete answer."""

    status: int
    headers: Headers
    """By name, as HTTP spells it: `Retry-After`, `Content-Type`."""
    body: bytes


class StreamResponse(Protocol):
    """An answer that is read while it arrives. Its chunks may end anywhere in a line."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the body. Raises TransportError when the connection breaks."""
        ...


class Transport(Protocol):
    """Sends requests to the API server. Paths are absolute (`/api/v1/...`); queries are not encoded yet, bodies are."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - part of the interface: the HTTP client needs it
    ) -> Response:
        """Sends one request and returns the complete answer, whatever its status. `timeout`: seconds for all of it.

        Raises TransportError.
        """
        ...

    def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: float,
    ) -> AbstractAsyncContextManager[StreamResponse]:
        """Sends a GET whose answer is read while it arrives. `timeout`: seconds until the answer begins; how long the
        stream may be silent afterwards is up to the caller. Raises TransportError."""
        ...
