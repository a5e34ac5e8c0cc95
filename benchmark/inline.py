"""The synthetic API server without a network and in the same process: for comparisons, not for figures."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import orjson

from benchmark.server import KINDS, Server
from benchmark.synthetic_objects import Population
from fakecluster.apiserver.errors import Refused
from fakecluster.apiserver.server import take_apart
from frappe_operator.runtime.client.transport import Headers, Query, Response

JSON = {"Content-Type": "application/json"}


class Inline:
    """A Transport that ends in this process."""

    def __init__(self, population: Population) -> None:
        self.server = Server(population)

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
        asked = take_apart(KINDS, method, path, query or {}, headers or {}, body)
        assert asked is not None, path
        try:
            code, answer = self.server.answer(asked)
            return Response(code, JSON, answer)
        except Refused as refused:
            return Response(refused.code, JSON, orjson.dumps(refused.status()))

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> AsyncIterator["_Stream"]:
        asked = take_apart(KINDS, "GET", path, query or {}, headers or {}, None)
        assert asked is not None, path
        async with aclosing(self.server.lines(asked)) as batches:
            yield _Stream(batches)


class _Stream:
    def __init__(self, batches: AsyncIterator[list[bytes]]) -> None:
        self.status = 200
        self.headers: Headers = JSON
        self._batches = batches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for lines in self._batches:
            yield b"".join(lines)
