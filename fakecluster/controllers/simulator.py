"""A cluster's controllers, one small action at a time, in an order that a seed decides.

What each controller would do next is a pure question about the objects there are; doing it is one or two writes.
So every order in which the real ones could act can be taken, and none of them is ever waited for.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fakecluster.apiserver.errors import StatusError
from fakecluster.apiserver.store import Change
from fakecluster.apiserver.verbs import Api
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest

MANAGER = "kube-controller-manager"
BETWEEN_ACTIONS_SECONDS = 0.05
RETRY_SECONDS = 1.0


class Action(NamedTuple):
    """What a controller does next about one object."""

    controller: str
    ref: Ref
    what: str
    do: Callable[[], object]
    at: float = 0.0
    """Not before this time, in the clock's seconds."""

    def __str__(self) -> str:
        return f"{self.controller}: {self.what} ({self.ref})"


Rule = Callable[["Simulator", Ref, Manifest], Action | None]
"""What a controller would do about an object, None when it is content."""


class Simulator:
    """The cluster's own controllers over an `Api`."""

    def __init__(self, api: Api, rules: Iterable[tuple[Kind | None, Rule]], seed: int = 0) -> None:
        """`rules`: each for one kind, or for every kind (None); the first that returns an action decides."""
        self.api = api
        self.random = random.Random(seed)
        self.off: set[str] = set()
        """Controllers that are not running."""
        self.done: list[str] = []
        self._rules = list(rules)
        self._pending: dict[Ref, Action] = {}
        self._dirty: dict[Ref, None] = {}
        self._not_before: dict[Ref, float] = {}
        """When to try again what was refused."""
        self._dependents: dict[str, dict[Ref, None]] = {}
        self._changed: asyncio.Event | None = None
        api.store.listeners.append(self._notice)
        self.resync()

    # --- what rules may ask

    def now(self) -> float:
        return self.api.clock()

    def dependents(self, uid: str, kind: Kind | None = None) -> list[tuple[Ref, Manifest]]:
        """Objects that name an owner, deleted ones with finalizers included."""
        found = []
        for ref in self._dependents.get(uid, {}):
            record = self.api.store.get(ref)
            if record is None or (kind is not None and ref.kind != kind):
                continue
            if any(owner["uid"] == uid for owner in record.obj["metadata"].get("ownerReferences", [])):
                found.append((ref, record.obj))
        return found

    def find(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        record = self.api.store.get(Ref(kind, namespace, name))
        return record.obj if record else None

    def set_status(self, ref: Ref, status: Manifest) -> None:
        """Replace an object's status."""
        live = self.api.get(ref).obj
        self.api.replace(ref, {**live, "status": status}, MANAGER, "status")

    # --- acting

    def actions(self) -> list[Action]:
        """Everything that any controller would do now or later."""
        while self._dirty:
            ref = next(iter(self._dirty))
            del self._dirty[ref]
            self._pending.pop(ref, None)
            record = self.api.store.get(ref)
            if record is None:
                continue
            for kind, rule in self._rules:
                if kind is None or kind == ref.kind:
                    action = rule(self, ref, record.obj)
                    if action is not None and action.controller not in self.off:
                        at = max(action.at, self._not_before.get(ref, 0.0))
                        self._pending[ref] = action._replace(at=at)
                        break
        return list(self._pending.values())

    def perform(self, action: Action) -> None:
        """Do one action; it must be one of `actions()` as they are now."""
        self.done.append(str(action))
        # Whether it succeeds or fails, its object is reconciled again.
        self._dirty[action.ref] = None
        try:
            action.do()
        except StatusError as refused:
            self.done[-1] += f": {refused.message}"
            self._not_before[action.ref] = self.now() + RETRY_SECONDS

    def step(self) -> bool:
        """Do one action whose time has come, any of them; False when there is none."""
        ready = [action for action in self.actions() if action.at <= self.now()]
        if not ready:
            return False
        self.perform(self.random.choice(ready))
        return True

    def run_all(self, limit: int = 10_000) -> None:
        """Act until every controller is content, as far as this moment goes."""
        for _ in range(limit):
            if not self.step():
                return
        raise AssertionError(f"the cluster does not come to rest: {self.done[-5:]}")

    def resync(self) -> None:
        """Reconciles every object: the script of a test has changed."""
        for ref in self.api.store.refs():
            self._dirty[ref] = None
            self._index(ref)
        self._wake()

    async def run(self) -> None:
        """Act for ever, with short random pauses."""
        self._changed = asyncio.Event()
        while True:
            self._changed.clear()
            times = [action.at for action in self.actions()]
            if not times:
                await self._changed.wait()
                continue
            wait = min(times) - self.now()
            if wait > 0:
                # Something nearer may come up meanwhile.
                waiting = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait([waiting], timeout=wait)
                waiting.cancel()
                continue
            await asyncio.sleep(self.random.uniform(0, BETWEEN_ACTIONS_SECONDS))
            self.step()

    # --- noticing

    def _notice(self, ref: Ref, change: Change) -> None:
        self._dirty[ref] = None
        obj = change.record.obj
        self._index(ref)
        for state in (obj, change.before.obj if change.before else {}):
            for owner in state.get("metadata", {}).get("ownerReferences", []):
                if owner["uid"] in self.api.store.by_uid:
                    self._dirty[self.api.store.by_uid[owner["uid"]]] = None
        if change.type == "DELETED":
            for dependent in self._dependents.get(obj["metadata"]["uid"], {}):
                self._dirty[dependent] = None
            for owner in obj["metadata"].get("ownerReferences", []):
                self._dependents.get(owner["uid"], {}).pop(ref, None)
        for other in self._concerned(ref, obj):
            self._dirty[other] = None
        self._wake()

    def _concerned(self, ref: Ref, obj: Manifest) -> Iterable[Ref]:
        """Objects whose controllers depend on this one, beside its owners."""
        namespace = self.find(kinds.NAMESPACE, "", ref.namespace)
        if namespace is not None and "deletionTimestamp" in namespace["metadata"]:
            yield Ref(kinds.NAMESPACE, "", ref.namespace)
        if ref.kind == kinds.POD:
            yield from (Ref(kinds.PVC, ref.namespace, name) for name in claims_of(obj))
        elif ref.kind == kinds.STORAGE_CLASS:
            yield from self._all(kinds.PVC, "")
        elif ref.kind in (kinds.PVC, kinds.SECRET, kinds.CONFIG_MAP):
            yield from self._all(kinds.POD, ref.namespace)
            yield from self._all(kinds.STATEFUL_SET, ref.namespace)

    def _all(self, kind: Kind, namespace: str) -> Iterable[Ref]:
        for key in self.api.store.objects.get(kind, {}):
            if not namespace or key.namespace == namespace:
                yield Ref(kind, *key)

    def _index(self, ref: Ref) -> None:
        record = self.api.store.get(ref)
        for owner in record.obj["metadata"].get("ownerReferences", []) if record else []:
            self._dependents.setdefault(owner["uid"], {})[ref] = None

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()


def claims_of(pod: Manifest) -> list[str]:
    """Names of the PersistentVolumeClaims a pod mounts."""
    volumes = pod["spec"].get("volumes", [])
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
