"""A synthetic API server: a process of its own that answers with objects made beforehand, and counts what it is asked.

python -m benchmark.server SIZE-AS-JSON prints its port. It is not there to be right but to be fast: lists and watches
are what they are in a real one, down to a chunk an event; what is written is merged without rules.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from benchmark.event_storm import Storm
from benchmark.synthetic_objects import Copy, Feed, Population, Size, Written, merged
from benchmark.synthetic_server import CONTROL
from benchmark.templates import PROXY, templates
from fakecluster.apiserver import selectors
from fakecluster.apiserver.errors import Refused, already_exists, bad_request, conflict, expired, not_found
from fakecluster.apiserver.server import Asked, take_apart
from frappe_operator.components.nginx import PORT
from frappe_operator.kube.kinds import ALL, DEPLOYMENT, EVENT, LEASE, POD, SITE, Kind, Manifest
from frappe_operator.kube.live import CONTROLLED_BY_US

BATCH = 64
"""Events that are written at once while all that exists is told."""
MOST_UNSENT = 2**20
KINDS = list(ALL.values())


class Server:
    """What there is, what was asked, and what goes wrong."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.asked: Counter[tuple[str, str]] = Counter()
        """Requests by verb and kind."""
        self.writes: list[tuple[float, str, str]] = []
        """When, which verb, and `Kind namespace/name`; without leases."""
        self.failing = ""
        """A namespace in which every write fails."""
        self.pages_only = False
        """Whether watches cannot tell what exists, as those of older API servers."""
        self.changed = asyncio.Event()
        """Replaced each time something happens."""
        self.places: dict[tuple[Kind, int], int] = {}
        """How far each watch has come."""
        self._watches = itertools.count()
        self.moved = asyncio.Event()
        """Set when one has come further, or is over."""
        self.storm: Storm | None = None

    def wake(self) -> None:
        """Tells watches that there is something new."""
        self.changed.set()
        self.changed = asyncio.Event()

    # --- one request

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        """Everything but watches."""
        self.asked[asked.verb, asked.kind.kind] += 1
        if asked.verb == "watch":
            raise bad_request("what exists is told in pages")
        if asked.method == "GET":
            return 200, self._get(asked) if asked.name else self._list(asked)
        if asked.kind != LEASE:
            where = f"{asked.kind.kind} {asked.namespace}/{asked.name} {asked.subresource}".rstrip()
            self.writes.append((time.monotonic(), asked.verb, where))
        if self.failing and asked.namespace == self.failing:
            raise Refused(500, "InternalError", "no")
        sent = orjson.loads(asked.body or b"{}")
        code, body = self._write(asked, sent)
        self.wake()
        return code, body

    def _get(self, asked: Asked) -> bytes:
        found = self.population.objects[asked.kind].get((asked.namespace, asked.name))
        if found is None:
            raise not_found(asked.kind, asked.name)
        return found.partial if asked.metadata_only else found.whole

    def _list(self, asked: Asked) -> bytes:
        kind, population = asked.kind, self.population
        found = self._chosen(asked)
        start, limit = int(asked.query.get("continue") or 0), int(asked.query.get("limit") or len(found) or 1)
        metadata = {"resourceVersion": str(population.version)}
        if start + limit < len(found):
            metadata |= {"continue": str(start + limit)}
        shown = found[start : start + limit]
        items = [each.partial if asked.metadata_only else each.whole for each in shown]
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata}
        return orjson.dumps(head)[:-1] + b',"items":[' + b",".join(items) + b"]}"

    def _chosen(self, asked: Asked) -> list[Copy | Written]:
        """The objects that are asked for. There are none but ours; only pods are told apart any further."""
        found = [
            each
            for (namespace, _), each in self.population.objects[asked.kind].items()
            if asked.namespace in ("", namespace)
        ]
        if asked.kind != POD:
            return found
        # Those of Jobs are the only ones there are, and all of them are done.
        if "job-name" not in asked.query.get("labelSelector", ""):
            return []
        wanted = selectors.fields(asked.query.get("fieldSelector", ""))
        return [each for each in found if wanted(each.template.model if isinstance(each, Copy) else each.obj)]

    def _write(self, asked: Asked, sent: Manifest) -> tuple[int, bytes]:
        population, kind = self.population, asked.kind
        live = population.read(kind, asked.namespace, asked.name)
        if asked.verb == "create":
            if live is not None:
                raise already_exists(asked.ref)
            return 201, population.write(kind, _made(sent, asked)).whole
        if asked.verb == "apply" and live is None:
            return 201, population.write(kind, _made(sent, asked)).whole
        if live is None:
            raise not_found(kind, asked.name)
        if asked.verb == "delete":
            population.remove(kind, asked.namespace, asked.name)
            return 200, orjson.dumps({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        guard = sent.get("metadata", {})
        for name in ("uid", "resourceVersion"):
            if guard.get(name, live["metadata"][name]) != live["metadata"][name]:
                raise conflict(asked.ref, f"{name} is another")
        new: Any = merged(live, sent)
        if new == live:
            return 200, population.objects[kind][asked.namespace, asked.name].whole
        return 200, population.write(kind, new, spec_changed=new.get("spec") != live.get("spec")).whole

    # --- watches

    async def lines(self, asked: Asked) -> AsyncGenerator[list[bytes], None]:
        """The events of one watch, some at once, to its end."""
        self.asked["watch", asked.kind.kind] += 1
        ends = time.monotonic() + float(asked.query.get("timeoutSeconds") or 1800)
        feed = self.population.feeds[asked.kind]
        # What happens while all that exists is told follows after.
        place = feed.total
        if asked.query.get("sendInitialEvents") == "true":
            for lines in self._existing(asked):
                yield lines
        else:
            found = feed.place_of(int(asked.query.get("resourceVersion") or 0))
            if found is None:
                yield [orjson.dumps({"type": "ERROR", "object": expired("too old").status()}) + b"\n"]
                return
            place = found
        me = asked.kind, next(self._watches)
        try:
            while True:
                self.places[me] = place
                events = feed.after(place, BATCH)
                if events:
                    yield [event.partial if asked.metadata_only else event.line for event in events]
                    place += len(events)
                    self.moved.set()
                    continue
                try:
                    async with asyncio.timeout(max(0, ends - time.monotonic())):
                        await self.changed.wait()
                except TimeoutError:
                    return
        finally:
            self.places.pop(me, None)
            self.moved.set()

    def _existing(self, asked: Asked) -> Iterator[list[bytes]]:
        found, version = self._chosen(asked), self.population.version
        for start in range(0, len(found), BATCH):
            objects = (each.partial if asked.metadata_only else each.whole for each in found[start : start + BATCH])
            yield [b'{"type":"ADDED","object":' + each + b"}\n" for each in objects]
        annotations = {"k8s.io/initial-events-end": "true"}
        meta = {"resourceVersion": str(version), "annotations": annotations}
        bookmark = {"kind": asked.kind.kind, "apiVersion": asked.kind.api_version, "metadata": meta}
        yield [orjson.dumps({"type": "BOOKMARK", "object": bookmark}) + b"\n"]

    async def let_pass(self, feed: Feed, kind: Kind, unsent: int) -> None:
        """Waits until every watch of a kind is at most so many events behind."""
        while any(feed.total - place > unsent for (each, _), place in self.places.items() if each == kind):
            self.moved.clear()
            await self.moved.wait()

    # --- what measurements ask

    async def control(self, name: str, given: Manifest) -> Any:
        """Answers `benchmark.synthetic_server`."""
        population = self.population
        match name:
            case "counts":
                asked = {f"{verb} {kind}": count for (verb, kind), count in sorted(self.asked.items())}
                return {"asked": asked, "writes": len(self.writes)}
            case "writes":
                return self.writes[given["since"] :]
            case "objects":
                return {"children": population.children(), **population.count()}
            case "forget":
                self.asked.clear()
                self.writes.clear()
            case "fail":
                self.failing = given["namespace"]
            case "pages":
                self.pages_only = given["only"]
            case "edit":
                return self._edit(given)
            case "flip":
                return await self._flip(given)
            case "flipped":
                return self._flipped(given["namespace"])
            case "touch":
                await self._touch(ALL[SITE.api_version, given["kind"]], given["namespace"])
            case "prepare-storm":
                self.storm = Storm(population, given["events"])
            case "storm":
                assert self.storm is not None
                await self._let_loose(self.storm)
                return population.version
        return None

    def _edit(self, given: Manifest) -> float:
        """A user's change of a site; the time of it."""
        kind = ALL[given.get("apiVersion", SITE.api_version), given.get("kind", SITE.kind)]
        live = self.population.read(kind, given["namespace"], given["name"])
        assert live is not None
        obj: Any = merged(live, given["patch"])
        began = time.monotonic()
        self.population.write(kind, obj, spec_changed=obj.get("spec") != live.get("spec"))
        self.wake()
        return began

    async def _flip(self, given: Manifest) -> list[str]:
        """Something that the operator wants is not so, in every so-manieth child that it keeps right, of one namespace
        and of some kinds perhaps. Those who watch are told if `aloud`."""
        flipped = []
        for (version, name), change in FLIPS.items():
            kind = ALL[version, name]
            found = [
                (key, each)
                for key, each in self.population.objects[kind].items()
                if given.get("namespace", key[0]) == key[0] and key[1].endswith(given.get("ending", ""))
            ]
            for key, each in found[given["every"] // 2 :: given["every"]]:
                if given.get("kind", name) != name or not change(obj := orjson.loads(each.whole)):
                    continue
                if given.get("aloud"):
                    self.population.write(kind, obj)
                else:
                    self.population.objects[kind][key] = Written(obj)
                flipped.append(f"{name} {'/'.join(key)}")
                await self._breathe(len(flipped))
        self.wake()
        return flipped

    def _flipped(self, namespace: str) -> int:
        """Deployments of a namespace that are still as `_flip` has left them."""
        written = (each for (where, _), each in self.population.objects[DEPLOYMENT].items() if where == namespace)
        return sum(isinstance(each, Written) and b'-other"' in each.whole for each in written)

    async def _touch(self, kind: Kind, namespace: str) -> None:
        """A change of every object of a kind that asks for nothing, but is a person's."""
        keys = [key for key in self.population.objects[kind] if key[0] == namespace]
        for number, key in enumerate(keys, 1):
            obj = orjson.loads(self.population.objects[kind][key].whole)
            self.population.write(kind, obj)
            await self._breathe(number)
        self.wake()

    async def _breathe(self, number: int) -> None:
        """Whoever holds the Lease must be answered while thousands of objects are changed."""
        if number % BATCH == 0:
            self.wake()
            await asyncio.sleep(0)

    async def _let_loose(self, storm: Storm) -> None:
        feed = self.population.feeds[storm.kind]
        for events in storm.batches:
            feed.add(*events)
            self.wake()
            await self.let_pass(feed, storm.kind, 4000)
        await self.let_pass(feed, storm.kind, 0)


def _made(sent: Manifest, asked: Asked) -> Manifest:
    metadata = sent.setdefault("metadata", {})
    metadata.pop("resourceVersion", None)
    if asked.kind.namespaced:
        metadata["namespace"] = asked.namespace
    operation = "Apply" if asked.verb == "apply" else "Update"
    if asked.kind not in (EVENT, LEASE):
        metadata["managedFields"] = [{"manager": CONTROLLED_BY_US, "operation": operation, "fieldsV1": {}}]
    return sent


def _flip_image(obj: Manifest) -> bool:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] += "-other"
    return True


def _flip_port(obj: Manifest) -> bool:
    obj["spec"]["ports"][0]["targetPort"] = 9999
    return True


def _flip_host(obj: Manifest) -> bool:
    obj["spec"]["rules"][0]["host"] = "other.example.net"
    return True


def _flip_label(obj: Manifest) -> bool:
    obj["metadata"]["labels"]["app.kubernetes.io/name"] = "other"
    return True


def _flip_data(obj: Manifest) -> bool:
    # What was found in a bench's image is read from there: without it, everything waits.
    obj["data"] = {**obj["data"], next(iter(obj["data"])): "other"}
    return "facts" not in obj["data"]


FLIPS = {
    ("apps/v1", "Deployment"): _flip_image,
    ("apps/v1", "StatefulSet"): _flip_image,
    ("v1", "Service"): _flip_port,
    ("networking.k8s.io/v1", "Ingress"): _flip_host,
    ("v1", "PersistentVolumeClaim"): _flip_label,
    ("v1", "ConfigMap"): _flip_data,
}
"""By kind of child that is kept right, what is wrong with it. Jobs and Secrets are made once and left alone."""


class Connection(asyncio.Protocol):
    """One connection: HTTP/1.1, one request after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = b""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=MOST_UNSENT)

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._writable.set()
        self._server.wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._task is None and (end := self._data.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._data[:end].decode().split("\r\n")
            headers = {name.title(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            after = end + 4 + int(headers.get("Content-Length", 0))
            if len(self._data) < after:
                return
            body, self._data = self._data[end + 4 : after], self._data[after:]
            method, target, _ = first.split(" ")
            self._request(method, target, headers, body)

    def _request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        path, _, query = target.partition("?")
        if path.startswith(CONTROL):
            self._begin(self._control(path.removeprefix(CONTROL), orjson.loads(body)))
            return
        asked = take_apart(KINDS, method, unquote(path), dict(parse_qsl(query)), headers, body or None)
        if asked is None:
            self._answer(404, b"404 page not found\n", "text/plain")
        elif asked.verb == "watch" and not (self._server.pages_only and "sendInitialEvents" in asked.query):
            self._begin(self._watch(asked))
        else:
            try:
                self._answer(*self._server.answer(asked))
            except Refused as refused:
                self._answer(refused.code, orjson.dumps(refused.status()))

    def _begin(self, work: Any) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception():
            print(f"server: {task.exception()!r}", file=sys.stderr, flush=True)
        if not self.gone:
            self.data_received(b"")

    async def _control(self, name: str, given: Manifest) -> None:
        self._answer(200, json.dumps(await self._server.control(name, given)).encode())

    def _answer(self, code: int, body: bytes, content: str = "application/json") -> None:
        head = f"HTTP/1.1 {code} -\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    async def _watch(self, asked: Asked) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        async with aclosing(self._server.lines(asked)) as batches:
            async for lines in batches:
                if self.gone:
                    return
                # Each line in a chunk of its own, as the real server flushes them.
                self._transport.write(b"".join([b"%x\r\n%b\r\n" % (len(line), line) for line in lines]))
                await self._writable.wait()
        self._transport.write(b"0\r\n\r\n")


class Proxy(asyncio.Protocol):
    """Whatever a bench's proxy is asked, the site answers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\npong")
        self._transport.close()


async def serve(population: Population) -> None:
    """Serves until it is killed."""
    server = Server(population)
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(server), "127.0.0.1", 0)
    # Another benchmark beside this one answers just as well.
    with suppress(OSError):
        await asyncio.get_running_loop().create_server(Proxy, PROXY, PORT)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    # The world that templates come from has an event loop of its own.
    asyncio.run(serve(Population(templates(), Size(**json.loads(sys.argv[1])))))
