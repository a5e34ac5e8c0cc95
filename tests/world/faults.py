"""A bad network, a busy server, a process that dies: what goes wrong between the operator and the API server.

A plan is a list of faults, each one line of JSON. It is learned from a run in which nothing went wrong: the n-th
request of a verb, a kind, a name is the same one in every run of the same seed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal

import orjson
from msgspec import Struct

from frappe_operator.kube.kinds import Kind
from frappe_operator.runtime.transport import Headers, Query, Response, StreamResponse, Transport, TransportError
from tests.world.apiserver import JSON, Asked, Stream, take_apart
from tests.world.refusals import Refused

WRITES = ("create", "apply", "patch", "update", "delete")

REFUSALS = {
    "403": Refused(403, "Forbidden", "exceeded quota: small"),
    "409": Refused(409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
    "429": Refused(429, "TooManyRequests", "the server has received too many requests"),
    "500": Refused(500, "InternalError", "Internal error occurred: etcdserver: request timed out"),
    "503": Refused(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
}

What = Literal["crash", "403", "409", "429", "500", "503", "timeout", "reset", "cut"]
WatchTrouble = Literal["drop", "double", "delay", "swap", "gone", "silent"]


class Fault(Struct, frozen=True, omit_defaults=True):
    """One thing that goes wrong with requests."""

    what: What
    """`crash`: the process dies; a status code; `timeout`, `reset`; `cut`: half of the answer is missing."""
    verb: str = "write"
    """A verb, or `write` for any that writes, or `any`."""
    kind: str = ""
    name: str = ""
    nth: int = 1
    """The first request this happens to, of those that match, counted from 1."""
    times: int = 1
    after: bool = False
    """The server has done what it was asked; only the answer is lost."""
    retry_after: int = 0
    """Seconds, for 429 and 503."""

    def meets(self, asked: Asked) -> bool:
        """Whether a request is one of those this fault is about."""
        verbs = WRITES if self.verb == "write" else (self.verb,)
        return (
            (self.verb == "any" or asked.verb in verbs)
            and self.kind in ("", asked.kind.kind)
            and self.name in ("", asked.name)
        )


class WatchFault(Struct, frozen=True, omit_defaults=True):
    """One thing that goes wrong with watches."""

    what: WatchTrouble
    """`drop`: the connection breaks; `double`: an event comes twice; `delay`: it comes late; `swap`: it comes after the
    next one; `gone`: the version is too old; `silent`: nothing comes any more, and nobody says so."""
    kind: str = ""
    nth: int = 1
    """The first event this happens to, of the kind's watches together, counted from 1; bookmarks are not counted."""
    times: int = 1
    seconds: float = 30.0
    """How late, for `delay`."""


class Faults:
    """A Transport that does to requests what its plan says, and hands the others on."""

    def __init__(
        self,
        inner: Transport,
        kinds: Iterable[Kind],
        plan: Iterable[Fault | WatchFault] = (),
        crash: Callable[[], None] = lambda: None,
    ) -> None:
        self.inner = inner
        self.plan = list(plan)
        self.happened: list[str] = []
        """What went wrong so far, to be read when a test fails."""
        self._kinds = list(kinds)
        self._crash = crash
        self._seen: dict[int, int] = {}

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
        async def send() -> Response:
            return await self.inner.request(method, path, query=query, headers=headers, body=body, timeout=timeout)

        asked = take_apart(self._kinds, method, path, query or {}, headers or {}, body)
        fault = self._due(asked) if asked is not None else None
        if fault is None or asked is None:
            return await send()
        self.happened.append(f"{fault.what} {'after' if fault.after else 'before'} {asked.verb} of {asked.ref}")
        return await self._trouble(fault, send, timeout)

    async def _trouble(self, fault: Fault, send: Callable[[], Awaitable[Response]], seconds: float) -> Response:
        answer = await send() if fault.after or fault.what == "cut" else None
        if fault.what == "crash":
            self._crash()
            await asyncio.get_running_loop().create_future()
        if fault.what == "timeout":
            await asyncio.sleep(seconds)
            raise TransportError("Timeout on reading data from socket")
        if fault.what == "reset":
            raise TransportError("Connection reset by peer")
        if fault.what == "cut":
            assert answer is not None
            return answer._replace(body=answer.body[: len(answer.body) // 2])
        refused = REFUSALS[fault.what]
        pause = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
        return Response(refused.code, {**JSON, **pause}, orjson.dumps(refused.status()))

    def _due(self, asked: Asked) -> Fault | None:
        due = None
        for number, fault in enumerate(self.plan):
            if isinstance(fault, Fault) and fault.meets(asked) and self._counts(number, fault.nth, fault.times):
                due = due or fault
        return due

    def _counts(self, number: int, nth: int, times: int) -> bool:
        seen = self._seen[number] = self._seen.get(number, 0) + 1
        return nth <= seen < nth + times

    def stream(
        self, path: str, *, query: Query | None = None, headers: Headers | None = None, timeout: float
    ) -> AbstractAsyncContextManager[StreamResponse]:
        asked = take_apart(self._kinds, "GET", path, query or {}, headers or {}, None)
        inner = self.inner.stream(path, query=query, headers=headers, timeout=timeout)
        mine = [
            (number, fault)
            for number, fault in enumerate(self.plan)
            if isinstance(fault, WatchFault) and asked is not None and fault.kind in ("", asked.kind.kind)
        ]
        return self._troubled(inner, mine) if mine else inner

    @asynccontextmanager
    async def _troubled(
        self, inner: AbstractAsyncContextManager[StreamResponse], mine: list[tuple[int, WatchFault]]
    ) -> AsyncIterator[StreamResponse]:
        async with inner as answer:
            lines = self._lines(answer, mine)
            try:
                yield Stream(answer.status, answer.headers, lines)
            finally:
                await lines.aclose()

    async def _lines(self, answer: StreamResponse, mine: list[tuple[int, WatchFault]]) -> AsyncGenerator[bytes, None]:
        """The events of a watch, one a chunk, with what goes wrong."""
        held = b""
        async for line in _lines_of(answer):
            if b'"BOOKMARK"' in line[:30]:
                if held:
                    # A bookmark says that everything before it has come: it does not overtake.
                    yield held
                    held = b""
                yield line
                continue
            due = [fault for number, fault in mine if self._counts(number, fault.nth, fault.times)]
            if due:
                self.happened.append(f"watch: {due[0].what} at {line[:60]!r}")
            what = due[0].what if due else ""
            if what == "drop":
                raise TransportError("Response payload is not completed")
            if what == "gone":
                gone = Refused(410, "Expired", "too old resource version")
                yield orjson.dumps({"type": "ERROR", "object": gone.status()}) + b"\n"
                return
            if what == "silent":
                await asyncio.get_running_loop().create_future()
            if what == "delay":
                await asyncio.sleep(due[0].seconds)
            if what == "swap":
                held = line
                continue
            # Chunks end anywhere: cut each event in two.
            middle = len(line) // 2
            yield line[:middle]
            yield line[middle:]
            if what == "double":
                yield line
            if held:
                yield held
                held = b""
        if held:
            yield held


async def _lines_of(answer: StreamResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in answer:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest
