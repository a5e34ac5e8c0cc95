"""The runtime on an API server in memory, with a kind of its own (Toy): tests call the parts of the runtime."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fakecluster.apiserver.server import ApiServer
from fakecluster.apiserver.verbs import START, Api
from fakecluster.virtual_time import VirtualLoop
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, HPA, JOB, PVC, SECRET, Kind, KindOf, Ref
from frappe_operator.kube.live import Custom
from frappe_operator.kube.names import INSTANCE, MANAGED_BY, OPERATOR_SELECTOR
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import Stage
from frappe_operator.runtime.apply.children import ApplyResult, apply
from frappe_operator.runtime.client.transport import Transport
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, owned_by
from frappe_operator.runtime.process.engine import Engine

TOY = KindOf("toys.example.com", "v1", "Toy", "toys", Custom)
NS = "default"
OWNER = Key(NS, "bear")
PRUNE = (CONFIG_MAP, DEPLOYMENT, HPA)

WATCHES: list[Watch[Any]] = [
    Watch(CONFIG_MAP, owned_by(TOY), labels=OPERATOR_SELECTOR, metadata_only=True),
    Watch(SECRET, owned_by(TOY), labels=OPERATOR_SELECTOR, metadata_only=True),
    Watch(JOB, owned_by(TOY), labels=OPERATOR_SELECTOR),
    Watch(DEPLOYMENT, owned_by(TOY), labels=OPERATOR_SELECTOR),
    Watch(HPA, owned_by(TOY), labels=OPERATOR_SELECTOR),
    Watch(PVC, owned_by(TOY), labels=OPERATOR_SELECTOR),
]


def child(kind: Kind, name: str, **body: Any) -> Manifest:
    """The manifest of a child, as a component builds it."""
    metadata = {
        "namespace": NS,
        "name": name,
        "labels": {MANAGED_BY: "frappe-operator", INSTANCE: OWNER.name},
        **body.pop("metadata", {}),
    }
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}


def a_config(name: str = "bear-config", **data: str) -> Manifest:
    return child(CONFIG_MAP, name, data=data or {"size": "1"})


def a_secret(value: str = "canary") -> Manifest:
    return child(SECRET, "bear-key", stringData={"key": value})


def a_job(inputs: str = "") -> Manifest:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}]}}
    return child(JOB, "bear-job", metadata={"annotations": {"vyogo.tech/inputs": inputs}}, spec={"template": template})


def a_deployment(**spec: Any) -> Manifest:
    limits = {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}
    pod = {"containers": [{"name": "main", "image": "x", "resources": limits, **spec.pop("container", {})}]}
    template = {"metadata": {"labels": {"app": "bear"}}, "spec": {**pod, **spec.pop("pod", {})}}
    whole = {"replicas": 1, "selector": {"matchLabels": {"app": "bear"}}, "template": template, **spec}
    return child(DEPLOYMENT, "bear-web", spec=whole)


def a_claim(size: str, **more: Any) -> Manifest:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return child(PVC, "bear-files", spec=spec, **more)


def stage(*children: Manifest, name: str = "Ready1", once: Sequence[Manifest] = ()) -> Stage:
    return Stage(name, children, exist, once)


class Environment:
    """An API server, an engine with complete caches, and one Toy."""

    def __init__(self, api: Api, server: ApiServer, transport: Transport | None = None) -> None:
        self.api = api
        self.server = server
        self.reconciled: list[Key] = []

        async def reconcile(cluster: Cluster, key: Key) -> float | None:
            self.reconciled.append(key)
            return None

        loop = asyncio.get_running_loop()
        self.engine = Engine(
            transport or server,
            [Controller(TOY, reconcile, WATCHES)],
            strict=True,
            clock=lambda: START.timestamp() + loop.time(),
            jitter=lambda: 0.5,
        )
        self.cluster = self.engine.cluster
        self.leading = asyncio.Event()

    @property
    def owner(self) -> Custom:
        live = self.cluster.get(TOY, *OWNER)
        assert isinstance(live, Custom)
        return live

    async def apply(self, *stages: Stage) -> ApplyResult:
        """Applies the stages once; then the watches have a moment to deliver the changes."""
        done = await apply(self.cluster, TOY, self.owner, stages, prune=PRUNE)
        await asyncio.sleep(0.1)
        return done

    def get(self, kind: Kind, name: str) -> Manifest:
        return self.api.get(Ref(kind, NS, name)).obj

    def exists(self, kind: Kind, name: str) -> bool:
        return self.api.store.get(Ref(kind, NS, name)) is not None

    async def edit(self, kind: Kind, name: str, patch: Manifest, subresource: str = "") -> None:
        """Changes an object as another client; the watches deliver the change."""
        self.api.merge(Ref(kind, NS, name), patch, "kubectl", subresource)
        await asyncio.sleep(0.1)

    async def create(self, manifest: Manifest) -> None:
        self.api.create(manifest, "kubectl")
        await asyncio.sleep(0.1)

    async def delete(self, kind: Kind, name: str) -> None:
        self.api.delete(Ref(kind, NS, name))
        await asyncio.sleep(0.1)

    def before_next(self, verb: str, happens: Callable[[], object]) -> None:
        """Calls `happens` after the operator has decided to send its next `verb`, and before the request arrives."""
        send = getattr(self.cluster.client, verb)

        async def late(*arguments: Any, **more: Any) -> bytes:
            setattr(self.cluster.client, verb, send)
            happens()
            answer: bytes = await send(*arguments, **more)
            return answer

        setattr(self.cluster.client, verb, late)

    def writes(self) -> list[str]:
        """The writes since the last call: `apply ConfigMap bear-config`."""
        found = [f"{each.verb} {each.ref}" for each in self.server.writes]
        self.server.writes.clear()
        return found

    def requests(self) -> list[str]:
        """All requests since the last call, without the watches."""
        found = [f"{each.verb} {each.kind.kind} {each.name}" for each in self.server.requests if each.verb != "watch"]
        self.server.requests.clear()
        return found


async def _at_once() -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def an_environment(*, leading: bool = False, after: Environment | None = None) -> AsyncIterator[Environment]:
    """An environment with complete caches. `leading`: the engine reconciles. `after`: the environment of the process
    before, whose API server is used again."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    if after is None:
        api = Api(loop.time, [TOY])
        server = ApiServer(api, _at_once)
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})
        toy = {"apiVersion": TOY.api_version, "kind": "Toy", "metadata": {"name": OWNER.name, "namespace": NS}}
        api.create({**toy, "spec": {}})
    else:
        api, server = after.api, after.server
    env = Environment(api, server)
    if leading:
        env.leading.set()
    run = asyncio.create_task(env.engine.run(env.leading))
    await env.engine.synced.wait()
    env.writes()
    env.requests()
    try:
        yield env
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
