"""Who looks on while a plan is played, and says at the end what there was to see."""

import base64
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import structlog

from fakecluster.apiserver.store import Change
from fakecluster.frappe import Effect
from fakecluster.world import SIMULATED, ProductOf, World, of_the_past, product
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Key, Kind, Manifest, Ref
from frappe_operator.kube.live import CONTROLLED_BY_US
from frappe_operator.kube.names import BENCH_LABEL, MANAGED_BY, SITE_LABEL
from frappe_operator.kube.stage import Undecided
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process import log

CANARY = "canary"
"""Part of every password there is."""
QUIET_SECONDS = 60.0


class Look(NamedTuple):
    """One reconcile of one object."""

    process: int
    kind: Kind
    key: Key
    began: float
    failed: bool
    """So that it is tried again."""


class Evidence(NamedTuple):
    """What there was to see of one play."""

    trouble: str
    """Why it did not come to its end; empty when it did."""
    happened: list[str]
    """What went wrong, as planned."""
    picture: dict[str, Manifest]
    """Everything that is stored at the end, less what differs between any two runs."""
    effects: list[Effect]
    made: Counter[str]
    """How often each object of the operator's was created."""
    deleted: Counter[str]
    """How often it went, whoever deleted it: what its owner's end takes along may go by either hand."""
    restless: list[str]
    """What the operator wrote after everything had come to rest."""
    orphans: list[str]
    lies: list[str]
    leaks: list[str]
    hasty: list[str]
    """Looks that came too soon after one that failed."""


class Witness:
    """Sees everything that is stored, every reconcile, and the log. Made before its world, which it is given to."""

    def __init__(self, operator: ProductOf = product) -> None:
        """`operator`: whose controllers are watched."""
        self._operator = operator
        self.leaks: list[str] = []
        self.made: Counter[str] = Counter()
        self.deleted: Counter[str] = Counter()
        self.looks: list[Look] = []
        self.edits: list[tuple[float, Kind, Key]] = []
        """When somebody asked something else of an object than before."""
        self.log = io.StringIO()
        self._processes = 0

    def listen(self) -> None:
        """Has the operator's log written where it can be searched, as a real process writes it."""
        log.configure("json", "info")
        file = structlog.PrintLoggerFactory(self.log)
        structlog.configure(logger_factory=file, cache_logger_on_first_use=False)

    def attend(self, world: World) -> None:
        """Looks at everything that is stored from now on."""
        world.api.store.listeners.append(lambda ref, change: self._notice(world, ref, change))

    def controllers(self, world: World) -> Sequence[Controller]:
        """The operator's, watched."""
        self._processes += 1
        return [watched(each, self._processes, world.loop.time, self.looks) for each in self._operator(world)]

    def evidence(self, world: World, trouble: str = "") -> Evidence:
        """What there was to see. Lets a quiet minute pass."""
        before = len(world.writes)
        if not trouble:
            world.run(QUIET_SECONDS)
        restless = [f"{write.time:.1f} {write.verb} {write.ref}" for write in world.writes[before:]]
        said = [f"the log: {line}" for line in self.log.getvalue().splitlines() if CANARY in line]
        return Evidence(
            trouble=trouble,
            happened=list(world.faults.happened),
            picture=world.picture(),
            effects=sorted(world.frappe.ledger),
            made=self.made,
            deleted=self.deleted,
            restless=restless,
            orphans=list(orphans(world)),
            lies=[*world.lies, *out_of_date(world)],
            leaks=[*self.leaks, *said],
            hasty=list(hasty(self.looks, self.edits)),
        )

    def _notice(self, world: World, ref: Ref, change: Change) -> None:
        if ref.kind != kinds.SECRET and change.type != "DELETED" and leaking(change.record.wire):
            self.leaks.append(f"{world.loop.time():.2f} {ref}")
        labels = change.record.obj["metadata"].get("labels", {})
        counts = ref.kind not in SIMULATED and not of_the_past(ref.kind, ref.name)
        if labels.get(MANAGED_BY) == CONTROLLED_BY_US and counts:
            self.made[str(ref)] += change.before is None
            self.deleted[str(ref)] += change.type == "DELETED"
        if ref.kind in (kinds.SITE, kinds.BENCH) and _edited(change):
            self.edits.append((world.loop.time(), ref.kind, Key(ref.namespace, ref.name)))


def watched(controller: Controller, process: int, clock: Callable[[], float], looks: list[Look]) -> Controller:
    """The controller, whose looks are noted."""

    async def look(cluster: Cluster, key: Key) -> float | None:
        began, failed = clock(), False
        try:
            return await controller.reconcile(cluster, key)
        except Undecided:
            raise
        except Exception:
            failed = True
            raise
        finally:
            looks.append(Look(process, controller.kind, key, began, failed))

    return controller._replace(reconcile=look)


_ENCODED = tuple(
    base64.b64encode(CANARY.encode().rjust(len(CANARY) + skip, b"-"))[4 if skip else 0 : -4] for skip in range(3)
)
"""The middle of what a canary looks like in base64, wherever it begins."""


def leaking(data: bytes) -> bool:
    """Whether a password, plain or in base64, is in there."""
    return CANARY.encode() in data or any(each in data for each in _ENCODED)


def _edited(change: Change) -> bool:
    if change.before is None or change.type == "DELETED":
        return True
    before, after = (each.obj["metadata"] for each in (change.before, change.record))
    return any(before.get(name) != after.get(name) for name in ("generation", "deletionTimestamp"))


def hasty(looks: Iterable[Look], edits: Iterable[tuple[float, Kind, Key]]) -> Iterable[str]:
    """Looks at an object within a second after one that failed. Each edit of the object may bring about one."""
    edits = list(edits)
    last: dict[tuple[int, Kind, Key], Look] = {}
    excused: Counter[tuple[int, Kind, Key]] = Counter()
    for look in looks:
        whose = look.process, look.kind, look.key
        before, last[whose] = last.get(whose), look
        if before is None or not before.failed or look.began >= before.began + 1.0:
            continue
        excused[whose] += 1
        if excused[whose] > sum((kind, key) == whose[1:] and time <= look.began for time, kind, key in edits):
            pause = look.began - before.began
            yield f"{look.began:.2f} {look.kind.kind} {look.key}, {pause:.2f} s after one that failed"


def orphans(world: World) -> Iterable[str]:
    """What the operator or the cluster has made for somebody who is gone, or for nobody."""
    return left_over((ref.kind, world.get_existing(ref)) for ref in world.api.store.refs())


def left_over(stored: Iterable[tuple[Kind, Manifest]]) -> Iterable[str]:
    """The same, where this is all there is."""
    stored = list(stored)
    uids = {obj["metadata"]["uid"] for _, obj in stored}
    for kind, obj in stored:
        metadata = obj["metadata"]
        labels = metadata.get("labels", {})
        owners = metadata.get("ownerReferences", [])
        if labels.get(MANAGED_BY) != CONTROLLED_BY_US and kind not in SIMULATED:
            continue
        name = f"{kind.kind} {metadata['name']}"
        if any(owner["uid"] not in uids for owner in owners):
            yield f"{name}: its owner is gone"
        elif not owners and not _holds_data(kind, labels):
            yield f"{name}: nobody owns it, and it is no data"


def _holds_data(kind: Kind, labels: Manifest) -> bool:
    return kind in (kinds.PVC, kinds.SECRET) and (SITE_LABEL in labels or BENCH_LABEL in labels)


def out_of_date(world: World) -> Iterable[str]:
    """Objects at rest whose Ready is of an older generation."""
    for kind in (kinds.BENCH, kinds.SITE):
        for obj in world.all(kind):
            metadata = obj["metadata"]
            for each in obj.get("status", {}).get("conditions", []):
                if each["type"] == "Ready" and each.get("observedGeneration") != metadata["generation"]:
                    yield f"{kind.kind} {metadata['name']}: Ready is of generation {each.get('observedGeneration')}"
