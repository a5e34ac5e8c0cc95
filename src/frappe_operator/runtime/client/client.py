"""The verbs of the Kubernetes API over a Transport. Answers are bytes: the caller knows what to decode of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from frappe_operator.kube.kinds import Kind, Ref, ref_of
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.errors import error_from
from frappe_operator.runtime.client.transport import Headers, Query, Response, StreamResponse, Transport, TransportError

PAGE = 500
"""Objects per page of a list. A list without pages takes nine times the memory and three times the time."""
TIMEOUT_SECONDS = 30.0

JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

Observer = Callable[[str, Kind, int], None]
"""Called for every answer with verb, kind and HTTP status (0: there was no answer)."""


class _ListMeta(Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _List(Struct):
    metadata: _ListMeta
    items: list[Raw] | None = None


EVERYTHING: Query = {}


def selectors(labels: str = "", fields: str = "") -> Query:
    """The query parameters of a label selector and a field selector."""
    return {name: text for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text}


class Page(NamedTuple):
    """One page of a list."""

    items: list[Raw]
    resource_version: str
    """The resourceVersion of the whole list."""


def no_observer(verb: str, kind: Kind, status: int) -> None:
    """The observer that does nothing."""


async def no_wait() -> None:
    """The step that continues at once."""


class Client:
    """Sends requests to the API server. Every method raises ApiError or TransportError; nothing is retried here."""

    def __init__(
        self,
        transport: Transport,
        *,
        strict: bool = False,
        observer: Observer = no_observer,
        step: Callable[[], Awaitable[None]] = no_wait,
    ) -> None:
        """`strict`: the API server refuses unknown fields instead of dropping them. `step`: awaited before every
        request."""
        self._transport = transport
        self._validation: Query = {"fieldValidation": "Strict"} if strict else {}
        self._observer = observer
        self._step = step

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> bytes:
        """Reads an object, or only its metadata. Raises NotFound."""
        accept = METADATA_ONLY if metadata_only else JSON
        return await self._request("get", kind, "GET", kind.path(namespace, name), headers={"Accept": accept})

    async def pages(
        self, kind: Kind, namespace: str = "", selection: Query = EVERYTHING, *, metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """All objects as they are now, page by page. Raises Gone when the list has taken too long.

        `selection`: the result of `selectors`.
        """
        headers = {"Accept": METADATA_ONLY_LIST if metadata_only else JSON}
        query = {"limit": str(PAGE), **selection}
        while True:
            body = await self._request("list", kind, "GET", kind.path(namespace), query=query, headers=headers)
            page = _decoded(body)
            yield Page(page.items or [], page.metadata.resource_version)
            if not page.metadata.continue_:
                return
            query["continue"] = page.metadata.continue_

    @asynccontextmanager
    async def watch(
        self, kind: Kind, namespace: str, query: Query, *, metadata_only: bool = False
    ) -> AsyncIterator[StreamResponse]:
        """Opens a watch, whose answer has one JSON event per line."""
        parameters = {"watch": "1", "allowWatchBookmarks": "true", **query}
        headers = {"Accept": METADATA_ONLY if metadata_only else JSON}
        try:
            async with self._transport.stream(
                kind.path(namespace), query=parameters, headers=headers, timeout=TIMEOUT_SECONDS
            ) as answer:
                self._observer("watch", kind, answer.status)
                if answer.status != 200:
                    raise error_from(answer.status, answer.headers, b"".join([chunk async for chunk in answer]))
                yield answer
        except TransportError:
            self._observer("watch", kind, 0)
            raise

    async def create(self, manifest: Manifest) -> bytes:
        """Creates an object. Raises AlreadyExists."""
        ref, body = _written(manifest)
        path, query = ref.kind.path(ref.namespace), {"fieldManager": OPERATOR_NAME, **self._validation}
        return await self._request("create", ref.kind, "POST", path, query=query, body=body)

    async def apply(self, manifest: Manifest, *, manager: str = OPERATOR_NAME, force: bool = True) -> bytes:
        """Server-side apply: afterwards the object has these fields, and none that the field manager applied before and
        that are missing here. Without `force`, raises Conflict when another manager owns a field that would change."""
        ref, body = _written(manifest)
        query = {"fieldManager": manager, "force": "true" if force else "false", **self._validation}
        headers = {"Content-Type": APPLY}
        path = ref.kind.path(ref.namespace, ref.name)
        return await self._request("apply", ref.kind, "PATCH", path, query=query, headers=headers, body=body)

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> bytes:
        """Sends a JSON merge patch. Raises Conflict when it names another UID or resourceVersion."""
        path = kind.path(namespace, name, subresource)
        query = {"fieldManager": OPERATOR_NAME, **self._validation}
        headers, body = {"Content-Type": MERGE}, msgspec.json.encode(patch)
        return await self._request("patch", kind, "PATCH", path, query=query, headers=headers, body=body)

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, version: str = "", propagation: str = "Background"
    ) -> bytes:
        """Deletes the object with this UID, and this resourceVersion if one is given.

        Raises NotFound, or Conflict when the name belongs to another object.
        """
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        body = msgspec.json.encode({**options, "propagationPolicy": propagation})
        return await self._request("delete", kind, "DELETE", kind.path(namespace, name), body=body)

    async def _request(
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
        await self._step()
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
    """Decodes a whole object. Raises TransportError when the answer is none."""
    try:
        return cast(Manifest, msgspec.json.decode(body, type=dict))
    except msgspec.MsgspecError as error:
        raise TransportError(f"The answer is no object: {error}") from error
