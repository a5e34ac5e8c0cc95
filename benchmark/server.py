"""The API server of a measurement: the fake one with thousands of sites in it, in a process of its own.

`python -m benchmark.server SIZE-AS-JSON` prints its port. Reading, writing and watching are those of
`fakecluster.apiserver`. Added here: objects that are rendered from templates when they are read, because parsed ones
would take too much memory; control requests of measurements; and writes and watches that are refused on demand.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from benchmark.event_storm import Storm
from benchmark.synthetic_objects import Copy, Size, filled, namespaces
from benchmark.synthetic_server import CONTROL
from benchmark.templates import PROXY, Template, templates
from fakecluster.apiserver import http
from fakecluster.apiserver.errors import StatusError, bad_request
from fakecluster.apiserver.requests import ApiRequest
from fakecluster.apiserver.server import JSON, ApiServer, WriteRequest
from fakecluster.apiserver.verbs import Api
from frappe_operator.api import crd
from frappe_operator.api.kinds import ALL, BENCH, SITE
from frappe_operator.components.nginx import PORT
from frappe_operator.kube.kinds import DEPLOYMENT, EVENT, LEASE, NAMESPACE, POD, STORAGE_CLASS, Kind, Ref
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.runtime.client.transport import Response

BATCH = 16
"""How many objects are changed before requests are answered again."""
MOST_UNREAD = 4000
"""The most events of a burst that the slowest watch has not read yet."""
USER = "kubectl"
NOT_CHILDREN = (SITE, BENCH, STORAGE_CLASS, NAMESPACE, LEASE, EVENT, POD)
"""Kinds that are not children of the operator."""


class MeasuredServer(ApiServer):
    """The fake API server with objects made from templates, and with the control requests of measurements."""

    def __init__(self, templates: list[Template], size: Size) -> None:
        api = Api(time.monotonic, crds=crd.definitions(), store=filled(templates, size))
        for namespace in namespaces(size):
            api.create(namespace, USER)
        super().__init__(api, _at_once)
        self.failing = ""
        """A namespace in which every write fails."""
        self.pages_only = False
        """Whether `sendInitialEvents` is refused, as older API servers do."""
        self.storm: Storm | None = None

    # --- what is refused on demand

    def _written(self, request: ApiRequest, manager: str) -> Response:
        if self.failing and request.namespace == self.failing:
            raise StatusError(500, "InternalError", "no")
        return super()._written(request, manager)

    def _check_watch(self, request: ApiRequest) -> None:
        if self.pages_only and "sendInitialEvents" in request.query:
            raise bad_request("sendInitialEvents is not supported")
        super()._check_watch(request)

    # --- what measurements ask

    async def control(self, name: str, given: Manifest) -> Any:
        """Answers a control request, as `benchmark.synthetic_server` sends it."""
        match name:
            case "counts":
                requests = Counter(f"{each.verb} {each.kind.kind}" for each in self.requests)
                return {"asked": dict(sorted(requests.items())), "writes": len(self.operator_writes())}
            case "writes":
                return self.operator_writes()[given["since"] :]
            case "objects":
                return self._count()
            case "forget":
                self.requests.clear()
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
                self.storm = Storm(self.api.store, given["events"])
            case "storm":
                assert self.storm is not None
                return await self._let_loose(self.storm)
        return None

    async def handle(self, name: str, body: bytes) -> Response:
        """Answers a control request over HTTP."""
        return Response(200, JSON, json.dumps(await self.control(name, orjson.loads(body))).encode())

    def operator_writes(self) -> list[tuple[float, str, str]]:
        """Time, verb and `Kind namespace/name` of each write, except of Leases."""
        return [
            (
                each.time,
                each.verb,
                f"{each.ref.kind.kind} {each.ref.namespace}/{each.ref.name} {each.subresource}".rstrip(),
            )
            for each in self.writes
            if each.ref.kind != LEASE
        ]

    def _count(self) -> dict[str, int]:
        """Number of objects by kind, and of all children."""
        objects = self.api.store.objects
        children = sum(len(found) for kind, found in objects.items() if kind not in NOT_CHILDREN)
        return {"children": children, **{kind.kind: len(found) for kind, found in objects.items() if found}}

    def _edit(self, given: Manifest) -> float:
        """Applies a user's edit; returns its time."""
        kind = ALL[given.get("apiVersion", SITE.api_version), given.get("kind", SITE.kind)]
        began = time.monotonic()
        self.api.merge(Ref(kind, given["namespace"], given["name"]), given["patch"], USER)
        return began

    async def _flip(self, given: Manifest) -> list[str]:
        """Changes one field in one of `every` children; returns which. May be limited by namespace, kind and ending of
        the name. The owner of the field stays the operator: only its value is wrong."""
        flipped = []
        for (version, name), change in FLIPS.items():
            kind = ALL[version, name]
            found = [
                (key, each)
                for key, each in self.api.store.objects[kind].items()
                if given.get("namespace", key.namespace) == key.namespace and key.name.endswith(given.get("ending", ""))
            ]
            for key, each in found[given["every"] // 2 :: given["every"]]:
                obj = orjson.loads(each.wire)
                if given.get("kind", name) != name or not change(obj):
                    continue
                self._put(kind, key, obj)
                flipped.append(f"{name} {key}")
                await _breathe(len(flipped))
        return flipped

    def _flipped(self, namespace: str) -> int:
        """Number of Deployments of a namespace that still have the drift of `_flip`."""
        found = self.api.store.objects[DEPLOYMENT].items()
        written = (each for key, each in found if key.namespace == namespace and not isinstance(each, Copy))
        return sum(b'-other"' in each.wire for each in written)

    async def _touch(self, kind: Kind, namespace: str) -> None:
        """Increments the generation of every object of a kind, as an edit of its spec does."""
        found = [(key, each) for key, each in self.api.store.objects[kind].items() if key.namespace == namespace]
        for number, (key, each) in enumerate(found, 1):
            self._put(kind, key, orjson.loads(each.wire))
            await _breathe(number)

    def _put(self, kind: Kind, key: Key, obj: Manifest) -> None:
        metadata = obj["metadata"]
        if "generation" in metadata:
            metadata["generation"] += 1
        self.api.store.put(Ref(kind, *key), obj)

    async def _let_loose(self, storm: Storm) -> int:
        """Sends the events of a burst as fast as they are read; returns the resource version of the last one."""
        feed = self.api.store.feed(storm.kind)
        for changes in storm.batches:
            for change in changes:
                feed.add(change)
            await feed.read_by_all(MOST_UNREAD)
        await feed.read_by_all()
        return self.api.store.version


def _where(write: WriteRequest) -> str:
    ref = write.ref
    return f"{ref.kind.kind} {ref.namespace}/{ref.name} {write.subresource}".rstrip()


async def _at_once() -> None:
    """Adds no latency."""


async def _breathe(number: int) -> None:
    """Lets requests be answered while thousands of objects are changed, so that no Lease expires."""
    if number % BATCH == 0:
        await asyncio.sleep(0)


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
"""By kind of child, a function that introduces drift. Jobs and Secrets are create-once."""


class Proxy(asyncio.Protocol):
    """The proxy of every bench: answers any request as a site answers a ping."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\npong")
        self._transport.close()


async def serve(size: Mapping[str, Any], made: list[Template]) -> None:
    """Serves until it is killed."""
    server = MeasuredServer(made, Size(**size))
    port = await http.listen(server, {CONTROL: server.handle})
    # Another benchmark beside this one answers just as well.
    with suppress(OSError):
        await asyncio.get_running_loop().create_server(Proxy, PROXY, PORT)
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    # The world that templates come from has an event loop of its own.
    asyncio.run(serve(json.loads(sys.argv[1]), templates()))
