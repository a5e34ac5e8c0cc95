"""Records what happens while a plan runs: stored objects, reconciles and log lines."""

import base64
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import structlog

from fakecluster.apiserver.store import Change
from fakecluster.comparison import is_history
from fakecluster.frappe import Effect
from fakecluster.world import SIMULATED, ControllersOf, World, operator_controllers
from frappe_operator.api import kinds as api_kinds
from frappe_operator.api.labels import BENCH_LABEL, SITE_LABEL
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.names import MANAGED_BY
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.stage import Undecided
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process import log

CANARY = "canary"
"""Part of every password there is."""
QUIET_SECONDS = 60.0


class ReconcileRecord(NamedTuple):
    """One reconcile of one object."""

    process: int
    kind: Kind
    key: Key
    began: float
    failed: bool
    """Whether it is retried."""


class Evidence(NamedTuple):
    """What was recorded of one run."""

    trouble: str
    """Why the run did not end; empty when it did."""
    happened: list[str]
    """The faults of the plan that happened."""
    comparable_objects: dict[str, Manifest]
    """All objects at the end, without the fields that differ between any two runs."""
    effects: list[Effect]
    made: Counter[str]
    """How often each object of the operator was created."""
    deleted: Counter[str]
    """How often each was deleted, by the operator or the garbage collector: either may be first."""
    restless: list[str]
    """What the operator wrote after the cluster had settled."""
    orphans: list[str]
    contradictions: list[str]
    leaks: list[str]
    early_retries: list[str]
    """Reconciles that began too soon after a failed one."""


class EvidenceCollector:
    """Collects evidence. It is made before the `World`, which needs its controllers."""

    def __init__(self, operator: ControllersOf = operator_controllers) -> None:
        """`operator`: makes the controllers whose reconciles are recorded."""
        self._operator = operator
        self.leaks: list[str] = []
        self.made: Counter[str] = Counter()
        self.deleted: Counter[str] = Counter()
        self.reconciles: list[ReconcileRecord] = []
        self.edits: list[tuple[float, Kind, Key]] = []
        """When the spec of an object was changed."""
        self.log = io.StringIO()
        self._processes = 0

    def listen(self) -> None:
        """Redirects the operator's log, in the format of a real process, to where it is searched."""
        log.configure("json", "info")
        file = structlog.PrintLoggerFactory(self.log)
        structlog.configure(logger_factory=file, cache_logger_on_first_use=False)

    def attend(self, world: World) -> None:
        """Records every change in a world from now on."""
        world.api.store.listeners.append(lambda ref, change: self._notice(world, ref, change))

    def controllers(self, world: World) -> Sequence[Controller]:
        """The operator's controllers, whose reconciles are recorded."""
        self._processes += 1
        return [watched(each, self._processes, world.loop.time, self.reconciles) for each in self._operator(world)]

    def evidence(self, world: World, trouble: str = "") -> Evidence:
        """The evidence, after a minute in which the operator should write nothing."""
        before = len(world.writes)
        if not trouble:
            world.run(QUIET_SECONDS)
        restless = [f"{write.time:.1f} {write.verb} {write.ref}" for write in world.writes[before:]]
        said = [f"the log: {line}" for line in self.log.getvalue().splitlines() if CANARY in line]
        return Evidence(
            trouble=trouble,
            happened=list(world.faults.happened),
            comparable_objects=world.comparable_objects(),
            effects=sorted(effects(world)),
            made=self.made,
            deleted=self.deleted,
            restless=restless,
            orphans=list(orphans(world)),
            contradictions=[*world.contradictions, *world.frappe.mixed, *out_of_date(world)],
            leaks=[*self.leaks, *said],
            early_retries=list(early_retries(self.reconciles, self.edits)),
        )

    def _notice(self, world: World, ref: Ref, change: Change) -> None:
        if ref.kind != kinds.SECRET and change.type != "DELETED" and contains_password(change.record.wire):
            self.leaks.append(f"{world.loop.time():.2f} {ref}")
        labels = change.record.obj["metadata"].get("labels", {})
        counts = ref.kind not in SIMULATED and not is_history(ref.kind, ref.name)
        if labels.get(MANAGED_BY) == OPERATOR_NAME and counts:
            self.made[str(ref)] += change.before is None
            self.deleted[str(ref)] += change.type == "DELETED"
        if ref.kind in (api_kinds.SITE, api_kinds.BENCH) and _edited(change):
            self.edits.append((world.loop.time(), ref.kind, Key(ref.namespace, ref.name)))


def effects(world: World) -> Iterable[Effect]:
    """What was done that depends on what is asked for, and not on when: whether the data of a site was migrated before
    the site was deleted is left out."""
    sites = {obj["spec"]["siteName"] for obj in world.all(api_kinds.SITE)}
    for effect in world.frappe.ledger:
        site, to, _ = effect.where.partition(" to ")
        if not to or site in sites:
            yield effect


def watched(
    controller: Controller, process: int, clock: Callable[[], float], reconciles: list[ReconcileRecord]
) -> Controller:
    """The controller, whose reconciles are recorded."""

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        began, failed = clock(), False
        try:
            return await controller.reconcile(cluster, key)
        except Undecided:
            raise
        except Exception:
            failed = True
            raise
        finally:
            reconciles.append(ReconcileRecord(process, controller.kind, key, began, failed))

    return controller._replace(reconcile=reconcile)


_ENCODED = tuple(
    base64.b64encode(CANARY.encode().rjust(len(CANARY) + skip, b"-"))[4 if skip else 0 : -4] for skip in range(3)
)
"""The middle of what a canary looks like in base64, wherever it begins."""


def contains_password(data: bytes) -> bool:
    """Whether the data contains a password, plain or in base64."""
    return CANARY.encode() in data or any(each in data for each in _ENCODED)


def _edited(change: Change) -> bool:
    if change.before is None or change.type == "DELETED":
        return True
    before, after = (each.obj["metadata"] for each in (change.before, change.record))
    return any(before.get(name) != after.get(name) for name in ("generation", "deletionTimestamp"))


def early_retries(reconciles: Iterable[ReconcileRecord], edits: Iterable[tuple[float, Kind, Key]]) -> Iterable[str]:
    """Reconciles of an object within a second after a failed one. Each edit of the object may cause one."""
    edits = list(edits)
    last: dict[tuple[int, Kind, Key], ReconcileRecord] = {}
    excused: Counter[tuple[int, Kind, Key]] = Counter()
    for reconcile in reconciles:
        whose = reconcile.process, reconcile.kind, reconcile.key
        before, last[whose] = last.get(whose), reconcile
        if before is None or not before.failed or reconcile.began >= before.began + 1.0:
            continue
        excused[whose] += 1
        if excused[whose] > sum((kind, key) == whose[1:] and time <= reconcile.began for time, kind, key in edits):
            pause = reconcile.began - before.began
            yield f"{reconcile.began:.2f} {reconcile.kind.kind} {reconcile.key}, {pause:.2f} s after one that failed"


def orphans(world: World) -> Iterable[str]:
    """Objects of the operator or the cluster in a world whose owner is gone, or which have none."""
    return orphaned((ref.kind, world.get_existing(ref)) for ref in world.api.store.refs())


def orphaned(stored: Iterable[tuple[Kind, Manifest]]) -> Iterable[str]:
    """Objects of the operator or the cluster whose owner is not among these objects, or which have none."""
    stored = list(stored)
    uids = {obj["metadata"]["uid"] for _, obj in stored}
    for kind, obj in stored:
        metadata = obj["metadata"]
        labels = metadata.get("labels", {})
        owners = metadata.get("ownerReferences", [])
        if labels.get(MANAGED_BY) != OPERATOR_NAME and kind not in SIMULATED:
            continue
        name = f"{kind.kind} {metadata['name']}"
        if any(owner["uid"] not in uids for owner in owners):
            yield f"{name}: its owner is gone"
        elif not owners and not _holds_data(kind, labels):
            yield f"{name}: nobody owns it, and it is no data"


def _holds_data(kind: Kind, labels: Manifest) -> bool:
    return kind in (kinds.PVC, kinds.SECRET) and (SITE_LABEL in labels or BENCH_LABEL in labels)


def out_of_date(world: World) -> Iterable[str]:
    """Objects of a settled world whose Ready condition is of an older generation."""
    for kind in (api_kinds.BENCH, api_kinds.SITE):
        for obj in world.all(kind):
            metadata = obj["metadata"]
            for each in obj.get("status", {}).get("conditions", []):
                if each["type"] == "Ready" and each.get("observedGeneration") != metadata["generation"]:
                    yield f"{kind.kind} {metadata['name']}: Ready is of generation {each.get('observedGeneration')}"
