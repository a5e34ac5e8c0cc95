"""The fake or the real API server, with a namespace in it of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest

from fakecluster.apiserver.server import ApiServer
from fakecluster.apiserver.verbs import Api
from frappe_operator.kube.kinds import NAMESPACE, Kind, ref_of
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.client.transport import Transport
from sandbox.cluster import Cluster

NUMBER = count(1)


JSON = {"Content-Type": "application/json"}


APPLY = {"Content-Type": "application/apply-patch+yaml"}


MERGE = {"Content-Type": "application/merge-patch+json"}


class Server:
    """An API server and a namespace in it that is this test's own."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.namespace = namespace

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = JSON, **query: Any
    ) -> tuple[int, Manifest]:
        sent = json.dumps(body).encode() if body is not None else None
        answer = await self.transport.request(
            method, path, query=query, headers={"Accept": "application/json", **headers}, body=sent, timeout=20
        )
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(answer.body) if is_json else {}

    async def apply(
        self, manifest: Manifest, manager: str = "us", force: bool = True, subresource: str = ""
    ) -> tuple[int, Manifest]:
        ref = ref_of(manifest)
        path = ref.kind.path(self.namespace, ref.name, subresource)
        return await self.ask("PATCH", path, manifest, APPLY, fieldManager=manager, force=str(force).lower())

    async def applied(self, manifest: Manifest, manager: str = "us") -> Manifest:
        code, body = await self.apply(manifest, manager)
        assert code in (200, 201), body
        return body

    async def merge(self, kind: Kind, name: str, patch: Manifest, subresource: str = "") -> tuple[int, Manifest]:
        path = kind.path(self.namespace, name, subresource)
        return await self.ask("PATCH", path, patch, MERGE, fieldManager="someone")

    async def create(self, manifest: Manifest) -> tuple[int, Manifest]:
        return await self.ask("POST", ref_of(manifest).kind.path(self.namespace), manifest, fieldManager="someone")

    async def get(self, kind: Kind, name: str) -> tuple[int, Manifest]:
        return await self.ask("GET", kind.path(self.namespace, name))

    async def delete(self, kind: Kind, name: str, **options: Any) -> tuple[int, Manifest]:
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        return await self.ask("DELETE", kind.path(self.namespace, name), body)

    def watch(self, kind: Kind, **query: str) -> "Watching":
        return Watching(self, kind, query)


class Watching:
    """The events of a watch, one after the other."""

    def __init__(self, server: Server, kind: Kind, query: dict[str, str]) -> None:
        self._server, self._kind, self._query = server, kind, query
        self._stack = AsyncExitStack()
        self._rest = b""

    async def __aenter__(self) -> "Watching":
        path = self._kind.path(self._server.namespace)
        stream = self._server.transport.stream(path, query={"watch": "1", **self._query}, timeout=20)
        answer = await self._stack.enter_async_context(stream)
        self.status = answer.status
        self._chunks = aiter(answer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def next(self) -> tuple[str, Manifest]:
        while True:
            async with asyncio.timeout(20):
                while b"\n" not in self._rest:
                    self._rest += await anext(self._chunks)
            line, self._rest = self._rest.split(b"\n", 1)
            event = json.loads(line)
            # The real cluster puts a ConfigMap of its own into every namespace.
            if event["object"].get("metadata", {}).get("name") != "kube-root-ca.crt":
                return event["type"], event["object"]

    async def until(self, event: str) -> list[str]:
        """Names of the objects up to and with the first event of a type."""
        names = []
        while True:
            found, obj = await self.next()
            names.append(obj["metadata"].get("name", ""))
            if found == event:
                return names


async def never_mind() -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def real_server(cluster: Cluster, prefix: str) -> AsyncIterator[Server]:
    """The real API server, with a namespace whose name begins with `prefix`."""
    async with HttpTransport(find(str(cluster.kubeconfig))) as transport:
        server = Server(transport, "")
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": prefix}}
        _, made = await server.ask("POST", NAMESPACE.path(), body)
        server.namespace = made["metadata"]["name"]
        yield server
        await server.ask("DELETE", NAMESPACE.path("", server.namespace))


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.cluster)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    if request.param == "memory":
        namespace = f"world-{next(NUMBER)}"
        server = Server(ApiServer(Api(), never_mind), namespace)
        await server.ask(
            "POST", NAMESPACE.path(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        yield server
        return
    async with real_server(request.getfixturevalue("control_plane"), "world-") as server:
        yield server


def config_map(name: str = "settings", *, metadata: Manifest | None = None, **data: str) -> Manifest:
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **(metadata or {})}}
    return {**head, "data": data} if data else head


def deployment(*containers: Manifest, replicas: int | None = 2, **spec: Any) -> Manifest:
    pod = {"containers": list(containers) or [{"name": "web", "image": "web:1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "front"},
        "spec": {
            **({"replicas": replicas} if replicas is not None else {}),
            "selector": {"matchLabels": {"app": "front"}},
            "template": {"metadata": {"labels": {"app": "front"}}, "spec": pod},
            **spec,
        },
    }


def job(image: str = "one:1") -> Manifest:
    pod = {"restartPolicy": "Never", "containers": [{"name": "only", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": pod}, "backoffLimit": 1},
    }


def version(obj: Manifest) -> str:
    found: str = obj["metadata"]["resourceVersion"]
    return found


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod
