"""The API server at the end of a `Transport`: paths, queries, pages, watches and what goes over the wire."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Any, NamedTuple

import orjson

from fakecluster.apiserver import selectors
from fakecluster.apiserver.errors import Refused, bad_request, expired, invalid
from fakecluster.apiserver.requests import Asked, take_apart
from fakecluster.apiserver.store import Change, Record
from fakecluster.apiserver.verbs import Api
from frappe_operator.kube.kinds import Kind, Manifest, Ref
from frappe_operator.runtime.client.transport import Headers, Query, Response

JSON = {"Content-Type": "application/json"}
NOTHING_HERE = Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")
"""The answer for kinds that are not installed: not JSON, in the real one as well."""
BOOKMARK_SECONDS = 60.0
WATCH_SECONDS = 1800.0
"""How long a watch lasts that asks for no time of its own."""
BATCH = 64
"""How many events of a watch are sent at once, where so many are there."""


class Written(NamedTuple):
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


class Past(NamedTuple):
    """What a server that is behind shows to those who begin to watch."""

    version: int
    until: float
    """When it catches up, in the clock's seconds."""


class ApiServer:
    """An `Api` behind the kernel's `Transport`.

    `pause` is awaited before a request is looked at and before its answer leaves, so that requests can overtake
    each other.
    """

    def __init__(self, api: Api, pause: Callable[[], Awaitable[None]]) -> None:
        self.api = api
        self.pause = pause
        self.requests: list[Asked] = []
        self.writes: list[Written] = []
        self.past = Past(0, 0.0)
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
            asked = take_apart(self.api.kinds, method, path, query, headers, body)
            if asked is None:
                return NOTHING_HERE
            self.requests.append(asked)
            if method == "GET":
                return self._read(asked)
            return self._write(asked)
        except Refused as refused:
            return Response(refused.code, {**JSON, **refused.headers}, orjson.dumps(refused.status()))

    def _read(self, asked: Asked) -> Response:
        if not asked.name:
            return _response(200, self._list(asked))
        return Response(200, JSON, self._wire(self.api.get(asked.ref), asked))

    def _write(self, asked: Asked) -> Response:
        version = self.api.store.version
        code = 500
        manager = asked.query.get("fieldManager") or asked.headers.get("User-Agent", "").split("/")[0]
        try:
            response = self._written(asked, manager)
            code = response.status
        except Refused as refused:
            code = refused.code
            raise
        finally:
            changed = self.api.store.version != version
            now = self.api.clock()
            self.writes.append(Written(now, asked.verb, asked.ref, manager, asked.subresource, code, changed, version))
        return response

    def _written(self, asked: Asked, manager: str) -> Response:
        api, verb = self.api, asked.verb
        dry_run = asked.query.get("dryRun") == "All"
        sent = _decoded(asked.body) if asked.body else {}
        if verb == "delete":
            return self._deleted(asked, sent)
        if verb == "create":
            obj = self._placed(asked, sent)
            return self._answered(201, api.create(obj, manager, dry_run), asked)
        if verb == "apply":
            obj = self._placed(asked, sent)
            if not asked.query.get("fieldManager"):
                raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
            force = asked.query.get("force") == "true"
            record, made = api.apply(obj, manager, force, asked.subresource, dry_run)
            return self._answered(201 if made else 200, record, asked)
        if verb == "update":
            return self._answered(200, api.replace(asked.ref, sent, manager, asked.subresource), asked)
        content = asked.headers.get("Content-Type", "")
        if content == "application/json-patch+json":
            live = api.get(asked.ref)
            new = _json_patched(live.obj, sent)
            return self._answered(200, api.replace(asked.ref, new, manager, asked.subresource), asked)
        if content != "application/merge-patch+json":
            raise Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content}")
        return self._answered(200, api.merge(asked.ref, sent, manager, asked.subresource, dry_run), asked)

    def _deleted(self, asked: Asked, options: Manifest) -> Response:
        wanted = options.get("preconditions", {})
        uid = self.api.get(asked.ref).obj["metadata"]["uid"]
        propagation = options.get("propagationPolicy") or asked.query.get("propagationPolicy", "")
        left = self.api.delete(asked.ref, wanted.get("uid", ""), wanted.get("resourceVersion", ""), propagation)
        if left is not None:
            return self._answered(200, left, asked)
        details = {"name": asked.name, "group": asked.kind.group, "kind": asked.kind.plural, "uid": uid}
        return _response(
            200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _placed(self, asked: Asked, obj: Manifest) -> Manifest:
        """The object sent, which must be what the URL says and may leave out its namespace."""
        if (obj.get("apiVersion"), obj.get("kind")) != (asked.kind.api_version, asked.kind.kind):
            raise bad_request(
                f"{obj.get('kind')} in version {obj.get('apiVersion')} cannot be handled as a {asked.kind.kind}"
            )
        metadata = obj.setdefault("metadata", {})
        if asked.kind.namespaced and metadata.setdefault("namespace", asked.namespace) != asked.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if asked.name and metadata.setdefault("name", asked.name) != asked.name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({asked.name})"
            )
        return obj

    def _answered(self, code: int, record: Record, asked: Asked) -> Response:
        return Response(code, JSON, self._wire(record, asked))

    # --- lists

    def _list(self, asked: Asked) -> Manifest:
        version, records = self._page_start(asked)
        limit = int(asked.query.get("limit") or 0)
        shown, rest = (records[:limit], records[limit:]) if limit else (records, [])
        metadata: Manifest = {"resourceVersion": str(version)}
        if rest:
            token = base64.b64encode(json.dumps({"v": version, "n": len(self._pages)}).encode()).decode()
            self._pages[token] = (version, rest)
            metadata |= {"continue": token, "remainingItemCount": len(rest)}
        items = [orjson.Fragment(self._wire(record, asked, listed=True)) for record in shown]
        if asked.metadata_only:
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            }
        kind = asked.kind
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}

    def _page_start(self, asked: Asked) -> tuple[int, list[Record]]:
        token = asked.query.get("continue")
        if not token:
            selected = self._selected(asked)
            return self.api.store.version, list(filter(selected, self.api.store.list(asked.kind, asked.namespace)))
        if token not in self._pages:
            raise bad_request("continue key is not valid")
        version, records = self._pages[token]
        if version < self.api.store.oldest:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        return version, records

    def _selected(self, asked: Asked) -> Callable[[Record], bool]:
        """A test of the request's label and field selectors."""
        label_selector, field_selector = (asked.query.get(f"{name}Selector", "") for name in ("label", "field"))
        try:
            by_label, by_field = selectors.labels(label_selector), selectors.fields(field_selector)
        except ValueError as error:
            raise bad_request(str(error)) from None
        # An object that exists as JSON only is parsed only where a selector asks for what is in it.
        return lambda record: (
            (not label_selector or by_label(record.labels)) and (not field_selector or by_field(record.obj))
        )

    def _wire(self, record: Record, asked: Asked, listed: bool = False) -> bytes:
        if asked.metadata_only:
            return record.metadata_wire
        if listed and asked.kind not in self.api.schemas and "." not in asked.kind.group.removesuffix(".k8s.io"):
            # In lists of built-in kinds the items do not say their kind.
            return _without_kind(record, asked.kind)
        return record.wire

    # --- watches

    @asynccontextmanager
    async def _stream(self, path: str, query: Query, headers: Headers) -> AsyncIterator["Stream"]:
        await self.pause()
        try:
            asked = take_apart(self.api.kinds, "GET", path, query, headers, None)
            if asked is None:
                yield Stream(404, NOTHING_HERE.headers, _once(NOTHING_HERE.body))
                return
            self._check_watch(asked)
            self.requests.append(asked)
        except Refused as refused:
            yield Stream(refused.code, {**JSON, **refused.headers}, _once(orjson.dumps(refused.status())))
            return
        batches = self._batches(asked)
        try:
            yield Stream(200, JSON, batches)
        finally:
            await batches.aclose()

    def _check_watch(self, asked: Asked) -> None:
        self._selected(asked)
        options = Ref(Kind("meta.k8s.io", "v1", "ListOptions", "listoptions"), "", "")
        if asked.query.get("sendInitialEvents") == "true":
            if asked.query.get("resourceVersionMatch") != "NotOlderThan":
                why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
                raise invalid(options, "resourceVersionMatch", why)
            if asked.query.get("allowWatchBookmarks") != "true":
                raise invalid(options, "allowWatchBookmarks", "Forbidden: sendInitialEvents requires bookmarks")
        elif asked.query.get("resourceVersionMatch"):
            why = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise invalid(options, "resourceVersionMatch", why)

    async def _batches(self, asked: Asked) -> AsyncGenerator[list[bytes], None]:
        """The events of one watch, a JSON line each, as many at once as there are."""
        store, query, clock = self.api.store, asked.query, self.api.clock
        selected, bookmarks = self._selected(asked), query.get("allowWatchBookmarks") == "true"
        ends = clock() + float(query.get("timeoutSeconds") or WATCH_SECONDS)
        initial = query.get("sendInitialEvents") == "true"
        text = query.get("resourceVersion", "")
        if initial or text in {"", "0"}:
            held = max(self.past.until - clock(), 0.0)
            version = self.past.version if held else store.version
            records = (
                store.as_of(version, asked.kind, asked.namespace) if held else store.list(asked.kind, asked.namespace)
            )
            for start in range(0, len(records), BATCH):
                batch = [self._event("ADDED", each, asked) for each in records[start : start + BATCH] if selected(each)]
                if batch:
                    yield batch
            if initial:
                yield [self._bookmark(asked, version, {"k8s.io/initial-events-end": "true"})]
            await asyncio.sleep(held)
        else:
            version = int(text)
        feed = store.feed(asked.kind)
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
                    lines = [self._line(each, selected, asked) for each in changes]
                    if batch := [line for line in lines if line]:
                        yield batch
                    reader.read(len(changes))
                # What happened to other kinds moves the version on as well.
                version = max(version, store.version)
                left = ends - clock()
                if bookmarks and (left <= 0 or clock() - marked >= BOOKMARK_SECONDS):
                    marked = clock()
                    yield [self._bookmark(asked, version, {})]
                    if reader.behind:
                        continue
                if left <= 0:
                    return
                await feed.more(min(left, BOOKMARK_SECONDS))

    def _line(self, change: Change, selected: Callable[[Record], bool], asked: Asked) -> bytes:
        """What a watcher sees of a change: an object whose labels no longer fit is gone for it."""
        record, before = change.record, change.before
        if asked.namespace and record.obj["metadata"].get("namespace", "") != asked.namespace:
            return b""
        now = change.type != "DELETED" and selected(record)
        then = before is not None and selected(before)
        if not now and not then:
            return b""
        return self._event("ADDED" if not then else "DELETED" if not now else "MODIFIED", record, asked)

    def _event(self, event: str, record: Record, asked: Asked) -> bytes:
        return b'{"type":"' + event.encode() + b'","object":' + self._wire(record, asked) + b"}\n"

    def _bookmark(self, asked: Asked, version: int, annotations: Mapping[str, str]) -> bytes:
        kind, api_version = asked.kind.kind, asked.kind.api_version
        if asked.metadata_only:
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


def _json_patched(live: Manifest, operations: Any) -> Manifest:
    """A JSON patch's result, for what operators send: add, replace, remove and test."""
    new: Manifest = orjson.loads(orjson.dumps(live))
    for operation in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].strip("/").split("/")]
        here: Any = new
        for part in way:
            here = here[int(part)] if isinstance(here, list) else here.get(part)
            if here is None:
                raise Refused(422, "Invalid", f"the path {operation['path']} does not exist")
        _operate(here, last, operation)
    return new


def _operate(here: Any, last: str, operation: Manifest) -> None:
    verb = operation["op"]
    place: Any = last
    if isinstance(here, list):
        place = len(here) if last == "-" else int(last)
    exists = place < len(here) if isinstance(here, list) else place in here
    if verb != "add" and not exists:
        raise Refused(422, "Invalid", f"the path {operation['path']} does not exist")
    if verb == "test":
        if here[place] != operation["value"]:
            raise Refused(422, "Invalid", f"testing path {operation['path']}: value differs")
    elif verb == "remove":
        del here[place]
    elif verb == "add" and isinstance(here, list):
        here.insert(place, operation["value"])
    else:
        here[place] = operation["value"]
