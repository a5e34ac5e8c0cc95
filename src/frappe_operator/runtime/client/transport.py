"""The one exit to the network: requests and streams to the API server, and nothing above them.

Everything else in here speaks to a `Transport`, so that a test can put a whole API server, or a bad network,
in its place.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

Query = Mapping[str, str]
Headers = Mapping[str, str]


class TransportError(Exception):
    """The network failed: no connection, a time-out, a connection that was cut. What the server did is not known."""


class Response(NamedTuple):
    """A whole answer."""

    status: int
    headers: Headers
    """Names as HTTP spells them: `Retry-After`, `Content-Type`."""
    body: bytes


class StreamResponse(Protocol):
    """An answer that goes on: its body comes in chunks that end anywhere."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come. Raises TransportError when the connection breaks."""
        ...


class Transport(Protocol):
    """What reaches the API server. Paths are absolute (`/api/v1/...`); a query is not encoded yet, a body is."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - part of the question: the client under it has to know
    ) -> Response:
        """One request and its whole answer, whatever its status. `timeout` in seconds, for all of it.

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
        """A GET whose answer is read while it comes. `timeout` in seconds until the answer begins; how long the
        stream may be silent is its reader's business. Raises TransportError."""
        ...
