"""The verbs of the Kubernetes API over a Transport. Answers are bytes: who asked knows what to read of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from frappe_operator.kube.kinds import Kind, Manifest, Ref, ref_of
from frappe_operator.kube.live import CONTROLLED_BY_US
from frappe_operator.runtime.client.errors import error_from
from frappe_operator.runtime.client.transport import Headers, Query, Response, StreamResponse, Transport, TransportError

PAGE = 500
"""Objects in one answer to a list: unpaged ones take nine times the memory and three times the time."""
TIMEOUT_SECONDS = 30.0

JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

Observer = Callable[[str, Kind, int], None]
"""Told of every answer: verb, kind, HTTP status (0: the network failed)."""


class _ListMeta(Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _List(Struct):
    metadata: _ListMeta
    items: list[Raw] | None = None


EVERYTHING: Query = {}


def selectors(labels: str = "", fields: str = "") -> Query:
    """The part of a query that chooses among the objects of a kind."""
    return {name: text for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text}


class Page(NamedTuple):
    """One answer to a list."""

    items: list[Raw]
    resource_version: str
    """What the whole list is as of."""


def nobody(verb: str, kind: Kind, status: int) -> None:
    """An observer that does not care."""


async def at_once() -> None:
    """For whoever need not wait."""


class Client:
    """What can be asked of the API server. Every method raises ApiError or TransportError; nothing is retried here."""

    def __init__(
        self,
        transport: Transport,
        *,
        strict: bool = False,
        observer: Observer = nobody,
        turn: Callable[[], Awaitable[None]] = at_once,
    ) -> None:
        """`strict`: the server refuses fields it does not know, instead of dropping them. `turn`: awaited before
        anything is asked."""
        self._transport = transport
        self._validation: Query = {"fieldValidation": "Strict"} if strict else {}
        self._observer = observer
        self._turn = turn

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> bytes:
        accept = METADATA_ONLY if metadata_only else JSON
        return await self._ask("get", kind, "GET", kind.path(namespace, name), headers={"Accept": accept})

    async def pages(
        self, kind: Kind, namespace: str = "", chosen: Query = EVERYTHING, *, metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """All objects as they are now, page by page. Raises Gone when the reading takes the server too long.

        `chosen`: which of them, as `selectors` says it.
        """
        headers = {"Accept": METADATA_ONLY_LIST if metadata_only else JSON}
        query = {"limit": str(PAGE), **chosen}
        while True:
            body = await self._ask("list", kind, "GET", kind.path(namespace), query=query, headers=headers)
            page = _decoded(body)
            yield Page(page.items or [], page.metadata.resource_version)
            if not page.metadata.continue_:
                return
            query["continue"] = page.metadata.continue_

    @asynccontextmanager
    async def watch(
        self, kind: Kind, namespace: str, query: Query, *, metadata_only: bool = False
    ) -> AsyncIterator[StreamResponse]:
        """A watch: its answer's body is one JSON event a line."""
        asked = {"watch": "1", "allowWatchBookmarks": "true", **query}
        headers = {"Accept": METADATA_ONLY if metadata_only else JSON}
        try:
            async with self._transport.stream(
                kind.path(namespace), query=asked, headers=headers, timeout=TIMEOUT_SECONDS
            ) as answer:
                self._observer("watch", kind, answer.status)
                if answer.status != 200:
                    raise error_from(answer.status, answer.headers, b"".join([chunk async for chunk in answer]))
                yield answer
        except TransportError:
            self._observer("watch", kind, 0)
            raise

    async def create(self, manifest: Manifest) -> bytes:
        """Raises AlreadyExists."""
        ref, body = _written(manifest)
        path, query = ref.kind.path(ref.namespace), {"fieldManager": CONTROLLED_BY_US, **self._validation}
        return await self._ask("create", ref.kind, "POST", path, query=query, body=body)

    async def apply(self, manifest: Manifest) -> bytes:
        """Server-side apply: the object has these fields after, and none that we set before and do not name now."""
        ref, body = _written(manifest)
        query = {"fieldManager": CONTROLLED_BY_US, "force": "true", **self._validation}
        headers = {"Content-Type": APPLY}
        path = ref.kind.path(ref.namespace, ref.name)
        return await self._ask("apply", ref.kind, "PATCH", path, query=query, headers=headers, body=body)

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> bytes:
        """A JSON merge patch. Raises Conflict when it has a UID or resourceVersion that is not the object's."""
        path = kind.path(namespace, name, subresource)
        query = {"fieldManager": CONTROLLED_BY_US, **self._validation}
        headers, body = {"Content-Type": MERGE}, msgspec.json.encode(patch)
        return await self._ask("patch", kind, "PATCH", path, query=query, headers=headers, body=body)

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, version: str = "", propagation: str = "Background"
    ) -> bytes:
        """Deletes exactly the object with this UID, and this resourceVersion if one is given.

        Raises NotFound, or Conflict when it is another.
        """
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        body = msgspec.json.encode({**options, "propagationPolicy": propagation})
        return await self._ask("delete", kind, "DELETE", kind.path(namespace, name), body=body)

    async def _ask(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
    ) -> bytes:
        await self._turn()
        sent = {"Accept": JSON, **({"Content-Type": JSON} if body is not None else {}), **(headers or {})}
        try:
            answer = await self._transport.request(
                method, path, query=query, headers=sent, body=body, timeout=TIMEOUT_SECONDS
            )
        except TransportError:
            self._observer(verb, kind, 0)
            raise
        self._observer(verb, kind, answer.status)
        return _content(answer)


def _content(answer: Response) -> bytes:
    if answer.status >= 300:
        raise error_from(answer.status, answer.headers, answer.body)
    return answer.body


def _written(manifest: Manifest) -> tuple[Ref, bytes]:
    return ref_of(manifest), msgspec.json.encode(manifest)


def _decoded(body: bytes) -> _List:
    try:
        return msgspec.json.decode(body, type=_List)
    except msgspec.MsgspecError as error:
        raise TransportError(f"The answer is no list: {error}") from error


def decoded(body: bytes) -> Manifest:
    """A whole object as it was answered. Raises TransportError when it is none."""
    try:
        return cast(Manifest, msgspec.json.decode(body, type=dict))
    except msgspec.MsgspecError as error:
        raise TransportError(f"The answer is no object: {error}") from error
