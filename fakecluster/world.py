"""A `World`: a cluster in memory with the operator running in it, under virtual time."""

import asyncio
import fnmatch
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from fakecluster.apiserver.server import ApiServer, StaleView, WriteRequest
from fakecluster.apiserver.store import Change
from fakecluster.apiserver.verbs import REPLICA_SET, START, Api
from fakecluster.comparison import is_history, without_release, without_volatile
from fakecluster.controllers.all import controllers as cluster_controllers
from fakecluster.controllers.kubelet import Kubelet
from fakecluster.controllers.simulator import Rule
from fakecluster.controllers.volumes import storage_class
from fakecluster.faults import AnyFault, FaultRun
from fakecluster.faulty_transport import FaultyTransport
from fakecluster.frappe import Frappe
from fakecluster.virtual_time import VirtualLoop
from frappe_operator import registry
from frappe_operator.api import kinds as api_kinds
from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.names import MANAGED_BY
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.conditions import ADVISORY
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.registry import Environment
from frappe_operator.runtime.client.transport import Headers, Query, Response, Transport
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process.engine import Engine

LATENCY_SECONDS = 0.004
RESTART_SECONDS = 1.0
SIMULATED = (kinds.POD, REPLICA_SET)
"""Kinds that the cluster makes; their labels are the operator's."""

OPEN_WORLDS: list["World"] = []
"""Worlds that were not ended yet."""


class NotSettled(AssertionError):
    """The cluster still changes after a long time."""


class Process:
    """One process of the operator: when it crashes, its pending requests never return."""

    def __init__(self, network: Callable[[Callable[[], None]], Transport]) -> None:
        """`network` makes the transport to the API server, given a function that kills the process."""
        self._inner = network(self.die)
        self.dead = False
        self.engine: Engine | None = None
        self.task: asyncio.Task[None] | None = None

    def die(self) -> None:
        """Crashes the process."""
        self.dead = True
        if self.task is not None:
            self.task.get_loop().call_soon(self.task.cancel)

    @property
    def idle(self) -> bool:
        """Whether its cache is filled and no key is queued, running or delayed."""
        if self.engine is None or not self.engine.synced.is_set():
            return False
        return not any(len(queue) or queue.running or queue.delayed for queue in self.engine.queues.values())

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
        await self._alive()
        answer = await self._inner.request(method, path, query=query, headers=headers, body=body, timeout=timeout)
        await self._alive()
        return answer

    def stream(self, path: str, **more: Any) -> Any:
        return self._inner.stream(path, **more)

    async def _alive(self) -> None:
        if self.dead:
            await asyncio.get_running_loop().create_future()


ControllersOf = Callable[["World"], Sequence[Controller]]


def operator_controllers(world: "World") -> Sequence[Controller]:
    """The operator's own controllers."""
    return registry.controllers(Environment(Images(), world.token, world.frappe.fetch, HostGrants()))


class World:
    """A cluster with these objects in it, and the operator running.

    `controllers` makes the operator's controllers, at every start of its process. `plan`: what goes wrong, faults or
    a course that has them.
    `seed` decides latencies and the order in which the cluster's controllers act. `more_kinds` and `more_rules`: what
    the cluster has installed.
    """

    def __init__(
        self,
        *objects: Manifest,
        controllers: ControllersOf = operator_controllers,
        plan: Iterable[AnyFault] | FaultRun = (),
        seed: int = 0,
        crds: Iterable[Manifest] = (),
        storage: Sequence[Manifest] = (storage_class(),),
        more_kinds: Iterable[Kind] = (),
        more_rules: Iterable[tuple[Kind | None, Rule]] = (),
    ) -> None:
        self.loop = VirtualLoop()
        self.random = random.Random(seed)
        self.api = Api(self.loop.time, more_kinds, crds)
        self.server = ApiServer(self.api, self._latency)
        self.frappe = Frappe(self.api)
        self.kubelet = Kubelet(self.frappe.program)
        self.frappe.started_with = self.kubelet.started_with
        self.sim = cluster_controllers(self.api, self.kubelet, seed, [(kinds.POD, self.frappe.maps), *more_rules])
        self.faults = plan if isinstance(plan, FaultRun) else FaultRun(plan)
        self.starts = 0
        """How often the operator's process was started."""
        self._controllers = controllers
        self._processes: list[Process] = []
        """Those that live, the first one first."""
        self._tokens = 0
        self._last = 0.0
        self.contradictions: list[str] = []
        """Statuses that contradicted themselves, with their time."""
        self.api.store.listeners.append(self._notice)
        OPEN_WORLDS.append(self)
        self._namespace("default")
        self.add(*storage, *objects)
        self._cluster = self.loop.create_task(self.sim.run())
        self._life = self.loop.create_task(self._live())
        self._ended = asyncio.Event()

    # --- what people and tests do

    def add(self, *objects: Manifest) -> None:
        """Create objects, as `kubectl create` does; namespaces come by themselves."""
        for obj in objects:
            metadata = obj["metadata"]
            if self._kind(obj).namespaced:
                obj = {**obj, "metadata": {"namespace": "default", **metadata}}
                self._namespace(obj["metadata"]["namespace"])
            self.api.create(obj, "kubectl")

    def edit(self, kind: Kind, name: str, patch: Manifest, namespace: str = "default", subresource: str = "") -> None:
        """Change an object by hand, with a merge patch."""
        self.api.merge(Ref(kind, namespace, name), patch, "kubectl", subresource)

    def delete(self, kind: Kind, name: str, namespace: str = "default", propagation: str = "Background") -> None:
        """Delete an object by hand."""
        self.api.delete(Ref(kind, namespace, name), propagation=propagation)

    def crash(self) -> None:
        """The operator's process crashes; another is started a second later, with an empty cache."""
        if self._processes:
            self._processes[0].die()

    def twin(self, seconds: float) -> None:
        """For so long, a second process works beside the first; each believes that it is the leader."""
        self.loop.create_task(self._twin(seconds))

    def serve_stale_view(self, writes: int, seconds: float) -> None:
        """For so many seconds, new watches are served from the state of so many writes ago."""
        before = [write.before for write in self.server.writes[-writes:]]
        self.server.stale_view = StaleView(before[0] if before else 0, self.loop.time() + seconds)

    def run(self, seconds: float) -> None:
        """Let virtual seconds pass."""
        self.loop.drive(asyncio.sleep(seconds))
        self._look_for_death()

    def changed(self) -> None:
        """To be called after a test has changed its script: hanging programs, broken pods."""
        self.kubelet.end_hanging_programs()
        self.sim.resync()
        self._touch()

    # --- what there is

    def get(self, kind: Kind, name: str, namespace: str = "default") -> Manifest | None:
        """An object as it is stored. Not to be changed."""
        return self.sim.find(kind, namespace, name)

    def get_existing(self, ref: Ref) -> Manifest:
        """An object as it is stored; raises when there is none."""
        return self.api.get(ref).obj

    def all(self, kind: Kind, pattern: str = "*") -> list[Manifest]:
        """The objects of a kind whose names match."""
        found = [record.obj for record in self.api.store.list(kind)]
        return [obj for obj in found if fnmatch.fnmatch(obj["metadata"]["name"], pattern)]

    def condition(self, type_: str, name: str = "", kind: Kind | None = None) -> "Condition":
        """A condition of the one custom resource there is, or of the one named."""
        found = [
            obj
            for each in ([kind] if kind else [api_kinds.SITE, api_kinds.BENCH])
            for obj in self.all(each)
            if name in ("", obj["metadata"]["name"])
        ]
        assert found, f"there is no {name or 'site or bench'}"
        for condition in found[0].get("status", {}).get("conditions", []):
            if condition["type"] == type_:
                return Condition(condition["status"], condition["reason"], condition["message"])
        return Condition("", "", f"{found[0]['metadata']['name']} has no condition {type_}")

    def children(self, owner: str = "") -> list[Ref]:
        """All objects that the operator has made, or those that one object controls."""
        found = []
        for ref in self.api.store.refs():
            metadata = self.api.get(ref).obj["metadata"]
            ours = metadata.get("labels", {}).get(MANAGED_BY) == OPERATOR_NAME and ref.kind not in SIMULATED
            owners = [each["name"] for each in metadata.get("ownerReferences", []) if each.get("controller")]
            if ours and (not owner or owner in owners):
                found.append(ref)
        return sorted(found)

    @property
    def idle(self) -> bool:
        """Whether no key is queued, running or delayed."""
        return bool(self._processes) and all(process.idle for process in self._processes)

    @property
    def writes(self) -> list[WriteRequest]:
        """Every write request that reached the server, but for the leader's Lease."""
        return [write for write in self.server.writes if write.ref.kind != kinds.LEASE]

    def comparable_objects(self) -> dict[str, Manifest]:
        """All objects without the fields that differ between any two runs: times, UIDs, versions, random values."""
        shown = {}
        for ref in self.api.store.refs():
            if ref.kind not in (*SIMULATED, kinds.EVENT, kinds.LEASE) and not is_history(ref.kind, ref.name):
                obj = self.api.get(ref).obj
                shown[f"{ref.namespace}/{ref}"] = without_volatile(obj if self._used(ref) else without_release(obj))
        return dict(sorted(shown.items()))

    def _used(self, ref: Ref) -> bool:
        """Whether an object is no volume of a site that was deleted."""
        site = self.api.get(ref).obj["metadata"].get("labels", {}).get(SITE_LABEL)
        return ref.kind != kinds.PVC or site is None or self.get(api_kinds.SITE, site, ref.namespace) is not None

    def token(self) -> str:
        """A new password."""
        self._tokens += 1
        return f"token-{self._tokens:04d}-canary"

    # --- settling

    def settle(self, quiet: float = 90.0, within: float = 7200.0) -> None:
        """Let time pass until nothing has happened for `quiet` virtual seconds.

        Raises NotSettled when something still happens after `within`.
        """
        self._touch()
        ends = self.loop.time() + within
        while True:
            written = max((write.time for write in self.writes if write.code < 400), default=0.0)
            wait = max(self._last + quiet, written + quiet, self._next_action()) - self.loop.time()
            if wait <= 0:
                assert not self.contradictions, self.contradictions
                assert not self.frappe.mixed, self.frappe.mixed
                return
            if self.loop.time() > ends:
                raise NotSettled(f"after {within} s: {self._recent()}")
            self.run(min(wait, quiet) + 0.001)

    def assert_no_writes(self, seconds: float) -> None:
        """Assert that the operator writes nothing for so many virtual seconds."""
        before = len(self.writes)
        self.run(seconds)
        wrote = [f"{write.verb} {write.ref} {write.subresource}".strip() for write in self.writes[before:]]
        assert not wrote, f"written to a settled world: {wrote}"

    def end(self) -> None:
        """Stop everything."""
        if self in OPEN_WORLDS:
            OPEN_WORLDS.remove(self)
        self.loop.finish()

    # --- inside

    async def _live(self) -> None:
        """The operator's process, and whoever starts it again."""
        while True:
            await self._life_of(self._begin())
            await asyncio.sleep(RESTART_SECONDS)
            back, seconds = self.faults.stale_start
            if back:
                self.faults.stale_start = 0, 0.0
                self.serve_stale_view(back, seconds)

    async def _twin(self, seconds: float) -> None:
        process = self._begin()
        self.loop.call_later(seconds, process.die)
        await self._life_of(process)

    def _begin(self) -> Process:
        self.starts += 1
        process = Process(lambda crash: FaultyTransport(self.server, self.api.kinds, self.faults, crash))
        process.task = self.loop.create_task(self._operate(process))
        self._processes.append(process)
        return process

    async def _life_of(self, process: Process) -> None:
        assert process.task is not None
        try:
            await process.task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                process.task.cancel()
                raise
        finally:
            process.dead = True
            self._processes.remove(process)

    async def _operate(self, process: Process) -> None:
        process.engine = engine = Engine(
            process,
            self._controllers(self),
            strict=True,
            clock=lambda: START.timestamp() + self.loop.time(),
            jitter=self.random.random,
        )
        leading = asyncio.Event()
        leading.set()
        await engine.run(leading)

    def _look_for_death(self) -> None:
        for task in (self._life, self._cluster):
            if task.done():
                task.result()
                raise AssertionError("the operator ended by itself")

    async def _latency(self) -> None:
        await asyncio.sleep(self.random.uniform(0, LATENCY_SECONDS))

    def _notice(self, ref: Ref, change: Change) -> None:
        self._touch()
        if ref.kind is kinds.POD:
            self.frappe.notice(change.record.obj)
        if ref.kind in (api_kinds.SITE, api_kinds.BENCH):
            self.contradictions += [f"{self.loop.time():.2f} {ref}: {lie}" for lie in contradictions(change.record.obj)]

    def _touch(self) -> None:
        self._last = self.loop.time()

    def _next_action(self) -> float:
        return max((action.at for action in self.sim.actions()), default=0.0)

    def _recent(self) -> str:
        lines = [f"{write.time:.1f} {write.verb} {write.ref} {write.code}" for write in self.writes[-12:]]
        return "\n".join([*lines, *self.sim.done[-8:], *self.faults.happened[-5:]])

    def _namespace(self, name: str) -> None:
        if self.sim.find(kinds.NAMESPACE, "", name) is None:
            self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "kubectl")

    def _kind(self, obj: Manifest) -> Kind:
        found = [kind for kind in self.api.kinds if (kind.api_version, kind.kind) == (obj["apiVersion"], obj["kind"])]
        return found[0]


class Condition(NamedTuple):
    """A condition of an object."""

    status: str
    reason: str
    message: str

    @property
    def ok(self) -> bool:
        return self.status == "True"


def contradictions(obj: Manifest) -> Iterable[str]:
    """What contradicts itself in an object's status."""
    status = obj.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    for name, each in conditions.items():
        if each.get("observedGeneration", 0) > obj["metadata"]["generation"]:
            yield f"{name} speaks of a generation that is still to come"
    ready = conditions.pop("Ready", None)
    if ready is None or ready["status"] != "True":
        return
    for name, each in conditions.items():
        if name not in ("Reconciling", "Stalled", *ADVISORY) and each["status"] != "True":
            yield f"Ready, while {name} is not"
        if each.get("observedGeneration") != ready.get("observedGeneration"):
            yield f"Ready is of another generation than {name}"


def settle(world: World, quiet: float = 90.0) -> None:
    """Lets time pass until nothing has happened in the world for `quiet` virtual seconds."""
    world.settle(quiet)
