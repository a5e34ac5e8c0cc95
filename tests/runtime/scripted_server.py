"""An API server that plays a script: tests of the client and the informers let it misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.transport import Headers, Query, Response, TransportError

Step = bytes | float | BaseException
"""Bytes are sent, a number of seconds is waited, an exception breaks the connection."""
HANG = 1e9
"""Seconds that no test waits for."""


class ScriptedServer:
    """Answers requests and streams in the order of the script, and all later streams with `rest`."""

    def __init__(
        self,
        streams: Sequence[Sequence[Step] | Response] = (),
        answers: Sequence[Response | BaseException] = (),
        rest: Sequence[Step] | Response = (HANG,),
    ) -> None:
        self.streams = list(streams)
        self.answers = list(answers)
        self.rest = rest
        self.opened: list[Query] = []
        """Queries of the streams, in order."""
        self.opened_at: list[float] = []
        self.asked: list[tuple[str, str, Query]] = []

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
        self.asked.append((method, path, dict(query or {})))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> AsyncIterator["Stream"]:
        self.opened.append(dict(query or {}))
        self.opened_at.append(asyncio.get_running_loop().time())
        script = self.streams.pop(0) if self.streams else self.rest
        if isinstance(script, Response):
            yield Stream(script.status, [script.body], script.headers)
        else:
            yield Stream(200, script, {})


class Stream:
    """One streamed answer."""

    def __init__(self, status: int, steps: Sequence[Step], headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self._steps = steps

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, BaseException):
                raise step
            else:
                await asyncio.sleep(step)


def an_object(name: str, version: int, uid: str = "", **more: Any) -> Manifest:
    """A minimal Deployment."""
    metadata = {
        "name": name,
        "namespace": more.pop("namespace", "ns"),
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        **more.pop("metadata", {}),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}, **more}


def event(kind: str, obj: Manifest) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def added(name: str, version: int, **more: Any) -> bytes:
    return event("ADDED", an_object(name, version, **more))


def modified(name: str, version: int, **more: Any) -> bytes:
    return event("MODIFIED", an_object(name, version, **more))


def deleted(name: str, version: int, **more: Any) -> bytes:
    return event("DELETED", an_object(name, version, **more))


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def initial_events_end(version: int) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": annotations}})


def failure(code: int, reason: str = "") -> bytes:
    return event("ERROR", {"kind": "Status", "code": code, "reason": reason, "message": reason, "metadata": {}})


def refusal(code: int, reason: str = "", **headers: str) -> Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": reason, "metadata": {}}
    return Response(code, headers, json.dumps(body).encode())


def a_list(version: int, *objects: Manifest, more: str = "") -> Response:
    body = {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(objects)}
    return Response(200, {}, json.dumps(body).encode())


CUT = TransportError("cut")
