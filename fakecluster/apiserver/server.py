"""The API server as a `Transport`: paths, queries, pages, watches and serialization."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Any, NamedTuple

import orjson

from fakecluster.apiserver import selectors
from fakecluster.apiserver.errors import StatusError, bad_request, expired, invalid
from fakecluster.apiserver.json_patch import json_patched
from fakecluster.apiserver.requests import ApiRequest, parse_request
from fakecluster.apiserver.store import Change, Record
from fakecluster.apiserver.verbs import Api
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.transport import Headers, Query, Response

JSON = {"Content-Type": "application/json"}
PATH_NOT_FOUND = Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")
"""The answer for kinds that are not installed: not JSON, in the real one as well."""
BOOKMARK_SECONDS = 60.0
WATCH_SECONDS = 1800.0
"""How long a watch lasts that asks for no time of its own."""
BATCH = 64
"""How many events of a watch are sent at once, where so many are there."""


class WriteRequest(NamedTuple):
    """One write request that reached the server."""

    time: float
    verb: str
    ref: Ref
    manager: str
    subresource: str
    code: int
    changed: bool
    """Whether it made a difference."""
    before: int
    """The cluster's version before it."""


class StaleView(NamedTuple):
    """An earlier state that a server which is behind serves to new watches."""

    version: int
    until: float
    """When it catches up, in the clock's seconds."""


class ApiServer:
    """An `Api` behind the kernel's `Transport`.

    `pause` is awaited before a request is handled and before its response leaves, so that requests can overtake
    each other.
    """

    def __init__(self, api: Api, pause: Callable[[], Awaitable[None]]) -> None:
        self.api = api
        self.pause = pause
        self.requests: list[ApiRequest] = []
        self.writes: list[WriteRequest] = []
        self.stale_view = StaleView(0, 0.0)
        self._pages: dict[str, tuple[int, list[Record]]] = {}

    # --- Transport

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
        await self.pause()
        response = self.answer(method, path, query or {}, headers or {}, body)
        await self.pause()
        return response

    def stream(
        self, path: str, *, query: Query | None = None, headers: Headers | None = None, timeout: float
    ) -> AbstractAsyncContextManager["Stream"]:
        return self._stream(path, query or {}, headers or {})

    # --- one request

    def answer(self, method: str, path: str, query: Query, headers: Headers, body: bytes | None) -> Response:
        """One request and its answer, at once."""
        try:
            known = self._discovery(path)
            if known is not None:
                return _response(200, known)
            request = parse_request(self.api.kinds, method, path, query, headers, body)
            if request is None:
                return PATH_NOT_FOUND
            self.requests.append(request)
            if method == "GET":
                return self._read(request)
            return self._write(request)
        except StatusError as refused:
            return Response(refused.code, {**JSON, **refused.headers}, orjson.dumps(refused.status()))

    def _read(self, request: ApiRequest) -> Response:
        if not request.name:
            return _response(200, self._list(request))
        return Response(200, JSON, self._wire(self.api.get(request.ref), request))

    def _write(self, request: ApiRequest) -> Response:
        now, version = self.api.clock(), self.api.store.version
        code = 500
        manager = request.query.get("fieldManager") or request.headers.get("User-Agent", "").split("/")[0]
        try:
            response = self._written(request, manager)
            code = response.status
        except StatusError as refused:
            code = refused.code
            raise
        finally:
            changed = self.api.store.version != version
            self.writes.append(
                WriteRequest(now, request.verb, request.ref, manager, request.subresource, code, changed, version)
            )
        return response

    def _written(self, request: ApiRequest, manager: str) -> Response:
        api, verb = self.api, request.verb
        dry_run = request.query.get("dryRun") == "All"
        sent = _decoded(request.body) if request.body else {}
        if verb == "delete":
            return self._deleted(request, sent)
        if verb == "create":
            obj = self._placed(request, sent)
            return self._answered(201, api.create(obj, manager, dry_run), request)
        if verb == "apply":
            obj = self._placed(request, sent)
            if not request.query.get("fieldManager"):
                raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
            force = request.query.get("force") == "true"
            record, made = api.apply(obj, manager, force, request.subresource, dry_run)
            return self._answered(201 if made else 200, record, request)
        if verb == "update":
            return self._answered(200, api.replace(request.ref, sent, manager, request.subresource), request)
        content = request.headers.get("Content-Type", "")
        if content == "application/json-patch+json":
            live = api.get(request.ref)
            new = json_patched(live.obj, sent)
            return self._answered(200, api.replace(request.ref, new, manager, request.subresource), request)
        if content != "application/merge-patch+json":
            raise StatusError(
                415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content}"
            )
        return self._answered(200, api.merge(request.ref, sent, manager, request.subresource, dry_run), request)

    def _deleted(self, request: ApiRequest, options: Manifest) -> Response:
        wanted = options.get("preconditions", {})
        uid = self.api.get(request.ref).obj["metadata"]["uid"]
        propagation = options.get("propagationPolicy") or request.query.get("propagationPolicy", "")
        left = self.api.delete(request.ref, wanted.get("uid", ""), wanted.get("resourceVersion", ""), propagation)
        if left is not None:
            return self._answered(200, left, request)
        details = {"name": request.name, "group": request.kind.group, "kind": request.kind.plural, "uid": uid}
        return _response(
            200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _placed(self, request: ApiRequest, obj: Manifest) -> Manifest:
        """The object sent, which must be what the URL says and may leave out its namespace."""
        if (obj.get("apiVersion"), obj.get("kind")) != (request.kind.api_version, request.kind.kind):
            raise bad_request(
                f"{obj.get('kind')} in version {obj.get('apiVersion')} cannot be handled as a {request.kind.kind}"
            )
        metadata = obj.setdefault("metadata", {})
        if request.kind.namespaced and metadata.setdefault("namespace", request.namespace) != request.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if request.name and metadata.setdefault("name", request.name) != request.name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({request.name})"
            )
        return obj

    def _answered(self, code: int, record: Record, request: ApiRequest) -> Response:
        return Response(code, JSON, self._wire(record, request))

    # --- lists

    def _list(self, request: ApiRequest) -> Manifest:
        version, records = self._page_start(request)
        limit = int(request.query.get("limit") or 0)
        shown, rest = (records[:limit], records[limit:]) if limit else (records, [])
        metadata: Manifest = {"resourceVersion": str(version)}
        if rest:
            token = base64.b64encode(json.dumps({"v": version, "n": len(self._pages)}).encode()).decode()
            self._pages[token] = (version, rest)
            metadata |= {"continue": token, "remainingItemCount": len(rest)}
        items = [orjson.Fragment(self._wire(record, request, listed=True)) for record in shown]
        if request.metadata_only:
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            }
        kind = request.kind
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}

    def _page_start(self, request: ApiRequest) -> tuple[int, list[Record]]:
        token = request.query.get("continue")
        if not token:
            selected = self._selected(request)
            return self.api.store.version, list(filter(selected, self.api.store.list(request.kind, request.namespace)))
        if token not in self._pages:
            raise bad_request("continue key is not valid")
        version, records = self._pages[token]
        if version < self.api.store.oldest:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        return version, records

    def _selected(self, request: ApiRequest) -> Callable[[Record], bool]:
        """A test of the request's label and field selectors."""
        label_selector, field_selector = (request.query.get(f"{name}Selector", "") for name in ("label", "field"))
        try:
            by_label, by_field = selectors.labels(label_selector), selectors.fields(field_selector)
        except ValueError as error:
            raise bad_request(str(error)) from None
        # An object that exists as JSON only is parsed only where a selector asks for what is in it.
        return lambda record: (
            (not label_selector or by_label(record.labels)) and (not field_selector or by_field(record.obj))
        )

    def _wire(self, record: Record, request: ApiRequest, listed: bool = False) -> bytes:
        if request.metadata_only:
            return record.metadata_wire
        if listed and request.kind not in self.api.schemas and "." not in request.kind.group.removesuffix(".k8s.io"):
            # In lists of built-in kinds the items do not say their kind.
            return _without_kind(record, request.kind)
        return record.wire

    # --- watches

    @asynccontextmanager
    async def _stream(self, path: str, query: Query, headers: Headers) -> AsyncIterator["Stream"]:
        await self.pause()
        try:
            request = parse_request(self.api.kinds, "GET", path, query, headers, None)
            if request is None:
                yield Stream(404, PATH_NOT_FOUND.headers, _once(PATH_NOT_FOUND.body))
                return
            self._check_watch(request)
            self.requests.append(request)
        except StatusError as refused:
            yield Stream(refused.code, {**JSON, **refused.headers}, _once(orjson.dumps(refused.status())))
            return
        batches = self._batches(request)
        try:
            yield Stream(200, JSON, batches)
        finally:
            await batches.aclose()

    def _check_watch(self, request: ApiRequest) -> None:
        self._selected(request)
        options = Ref(Kind("meta.k8s.io", "v1", "ListOptions", "listoptions", Live), "", "")
        if request.query.get("sendInitialEvents") == "true":
            if request.query.get("resourceVersionMatch") != "NotOlderThan":
                why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
                raise invalid(options, "resourceVersionMatch", why)
            if request.query.get("allowWatchBookmarks") != "true":
                raise invalid(options, "allowWatchBookmarks", "Forbidden: sendInitialEvents requires bookmarks")
        elif request.query.get("resourceVersionMatch"):
            why = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise invalid(options, "resourceVersionMatch", why)

    async def _batches(self, request: ApiRequest) -> AsyncGenerator[list[bytes], None]:
        """The events of one watch, a JSON line each, as many at once as there are."""
        store, query, clock = self.api.store, request.query, self.api.clock
        selected, bookmarks = self._selected(request), query.get("allowWatchBookmarks") == "true"
        ends = clock() + float(query.get("timeoutSeconds") or WATCH_SECONDS)
        initial = query.get("sendInitialEvents") == "true"
        text = query.get("resourceVersion", "")
        if initial or text in {"", "0"}:
            held = max(self.stale_view.until - clock(), 0.0)
            version = self.stale_view.version if held else store.version
            records = (
                store.as_of(version, request.kind, request.namespace)
                if held
                else store.list(request.kind, request.namespace)
            )
            for start in range(0, len(records), BATCH):
                batch = [
                    self._event("ADDED", each, request) for each in records[start : start + BATCH] if selected(each)
                ]
                if batch:
                    yield batch
            if initial:
                yield [self._bookmark(request, version, {"k8s.io/initial-events-end": "true"})]
            await asyncio.sleep(held)
        else:
            version = int(text)
        feed = store.feed(request.kind)
        oldest = max(store.oldest, feed.oldest)
        if version < oldest:
            gone = expired(f"too old resource version: {version} ({oldest})")
            yield [orjson.dumps({"type": "ERROR", "object": gone.status()}) + b"\n"]
            return
        with closing(feed.read_after(version)) as reader:
            marked = clock()
            while True:
                while changes := reader.next(BATCH):
                    version = changes[-1].version
                    lines = [self._line(each, selected, request) for each in changes]
                    if batch := [line for line in lines if line]:
                        yield batch
                    reader.read(len(changes))
                # What happened to other kinds moves the version on as well.
                version = max(version, store.version)
                left = ends - clock()
                if bookmarks and (left <= 0 or clock() - marked >= BOOKMARK_SECONDS):
                    marked = clock()
                    yield [self._bookmark(request, version, {})]
                    if reader.behind:
                        continue
                if left <= 0:
                    return
                await feed.more(min(left, BOOKMARK_SECONDS))

    def _line(self, change: Change, selected: Callable[[Record], bool], request: ApiRequest) -> bytes:
        """What a watcher sees of a change: an object whose labels no longer fit is gone for it."""
        record, before = change.record, change.before
        if request.namespace and record.obj["metadata"].get("namespace", "") != request.namespace:
            return b""
        now = change.type != "DELETED" and selected(record)
        then = before is not None and selected(before)
        if not now and not then:
            return b""
        return self._event("ADDED" if not then else "DELETED" if not now else "MODIFIED", record, request)

    def _event(self, event: str, record: Record, request: ApiRequest) -> bytes:
        return b'{"type":"' + event.encode() + b'","object":' + self._wire(record, request) + b"}\n"

    def _bookmark(self, request: ApiRequest, version: int, annotations: Mapping[str, str]) -> bytes:
        kind, api_version = request.kind.kind, request.kind.api_version
        if request.metadata_only:
            kind, api_version = "PartialObjectMetadata", "meta.k8s.io/v1"
        metadata: Manifest = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
        return orjson.dumps({"type": "BOOKMARK", "object": obj}) + b"\n"

    # --- paths

    def _discovery(self, path: str) -> Manifest | None:
        parts = path.strip("/").split("/")
        groups = {(kind.group, kind.version) for kind in self.api.kinds}
        if path == "/version":
            return {"major": "1", "minor": "37", "gitVersion": "v1.37.2"}
        if path == "/apis":
            named = [
                {"name": group, "versions": [{"groupVersion": f"{group}/{version}", "version": version}]}
                for group, version in sorted(groups)
                if group
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
        group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else ("", "")
        if parts[0] == "apis" and len(parts) == 3:
            group, version = parts[1:]
        if (group, version) not in groups:
            return None
        resources = [
            {"name": kind.plural, "namespaced": kind.namespaced, "kind": kind.kind, "singularName": "", "verbs": []}
            for kind in sorted(self.api.kinds)
            if (kind.group, kind.version) == (group, version)
        ]
        word = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": word, "resources": resources}


class Stream(NamedTuple):
    """The answer to a watch."""

    status: int
    headers: Headers
    batches: AsyncIterator[list[bytes]]
    """Its lines, those together that were there at the same time."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Lines(self.batches)


class _Lines:
    """The lines of batches, one by one. No generator: one that is left half-way is closed by the event loop, later."""

    def __init__(self, batches: AsyncIterator[list[bytes]]) -> None:
        self._batches = batches
        self._lines: Iterator[bytes] = iter(())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while (line := next(self._lines, None)) is None:
            self._lines = iter(await anext(self._batches))
        return line


async def _once(body: bytes) -> AsyncIterator[list[bytes]]:
    yield [body]


def _without_kind(record: Record, kind: Kind) -> bytes:
    wire = record.wire
    head = f'{{"apiVersion":"{kind.api_version}","kind":"{kind.kind}",'.encode()
    if wire.startswith(head):
        return b"{" + wire[len(head) :]
    return orjson.dumps({name: value for name, value in record.obj.items() if name not in {"apiVersion", "kind"}})


def _response(code: int, body: Manifest) -> Response:
    return Response(code, JSON, orjson.dumps(body))


def _decoded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
