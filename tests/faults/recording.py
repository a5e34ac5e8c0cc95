"""Records the requests of one run against the real API server, and the log lines meanwhile."""

import asyncio
import io
from contextlib import AbstractAsyncContextManager

import structlog

from fakecluster.apiserver.requests import ApiRequest, parse_request
from fakecluster.faults import WRITES
from frappe_operator.api import kinds as api_kinds
from frappe_operator.kube import kinds
from frappe_operator.runtime.client.transport import Headers, Query, Response, StreamResponse, Transport
from frappe_operator.runtime.process import log
from tests.faults.evidence import CANARY, contains_password


class Recorder:
    """A Transport that records requests and their answers."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.wrote = 0.0
        """Loop time of the last write."""
        self.writes: list[str] = []
        self.leaks: list[str] = []

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
        asked = parse_request(api_kinds.ALL.values(), method, path, query or {}, headers or {}, body)
        answer = await self._inner.request(method, path, query=query, headers=headers, body=body, timeout=timeout)
        if asked is not None:
            self._note(asked, answer)
        return answer

    def stream(
        self, path: str, *, query: Query | None = None, headers: Headers | None = None, timeout: float
    ) -> AbstractAsyncContextManager[StreamResponse]:
        return self._inner.stream(path, query=query, headers=headers, timeout=timeout)

    def _note(self, asked: ApiRequest, answer: Response) -> None:
        if asked.kind != kinds.SECRET and contains_password(answer.body):
            self.leaks.append(f"{asked.verb} {asked.ref}")
        if asked.verb in WRITES:
            self.wrote = asyncio.get_running_loop().time()
            self.writes.append(f"{asked.verb} {asked.ref}")


class Log(io.StringIO):
    """The log of all operators together, of which only lines with a password are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[str] = []

    def write(self, text: str) -> int:
        if CANARY in text:
            self.leaks.append(text)
        return len(text)

    def listen(self) -> None:
        """Redirects the log here, in the format of a real process."""
        log.configure("json", "info")
        file = structlog.PrintLoggerFactory(self)
        structlog.configure(logger_factory=file, cache_logger_on_first_use=False)
