"""What the real API server tells of each namespace while plans are played there: who came, who went, who said what."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import field

from fakecluster.world import lies, of_the_past
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import BENCH, SITE, Kind
from frappe_operator.kube.live import Live
from frappe_operator.kube.names import JOB_LABEL, JOB_PODS, OURS
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.informer import Informer
from frappe_operator.runtime.cache.store import Change, Store
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Transport

CHILDREN = (
    kinds.CONFIG_MAP,
    kinds.DEPLOYMENT,
    kinds.INGRESS,
    kinds.JOB,
    kinds.PVC,
    kinds.SECRET,
    kinds.SERVICE,
    kinds.STATEFUL_SET,
)


class Speaking(Live):
    """A bench or a site, and what its status says."""

    status: dict[str, Any] = field(default_factory=dict)


class Sight:
    """One namespace."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        """How often each object was created."""
        self.gone: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        """By Job, how many pods have begun its work."""
        self.lies: list[str] = []
        self.changed = 0.0
        """Loop time of the last event."""
        self._there: dict[str, tuple[Kind, Live]] = {}
        """By UID."""

    def notice(self, change: Change, now: float) -> None:
        """Takes in an event of a watch."""
        old, new = change.old, change.new
        self.changed = now
        if isinstance(new, Speaking):
            self.lies += [f"{change.kind.kind} {new.metadata.name}: {lie}" for lie in lies(_as_said(new))]
        if new is not None:
            self._there[new.metadata.uid] = change.kind, new
        if old is not None and new is not None and old.metadata.uid == new.metadata.uid:
            return
        if old is not None:
            del self._there[old.metadata.uid]
            self._count(self.gone, change.kind, old)
        if new is not None:
            self._count(self.made, change.kind, new)
            if change.kind == kinds.POD:
                self.runs[new.metadata.label(JOB_LABEL)] += 1

    @property
    def settled(self) -> bool:
        """Whether all that was asked for is ready as it is asked for now, and all that was to go is gone."""
        sites = any(kind == SITE for kind, _ in self._there.values())
        # A bench that is to go stays for as long as it has a site.
        held = (BENCH,) if sites else ()
        for kind, live in self._there.values():
            if live.deleting and kind not in held:
                return False
            if isinstance(live, Speaking) and not live.deleting and not _ready(live):
                return False
            if any(owner.uid not in self._there for owner in live.metadata.owner_references):
                return False
        return True

    def knows(self, asked_for: Mapping[str, int]) -> bool:
        """Whether these, UIDs and versions, are the benches and sites that were seen: watches are behind at times."""
        speaking = (live.metadata for _, live in self._there.values() if isinstance(live, Speaking))
        return asked_for == {metadata.uid: metadata.resource_version for metadata in speaking}

    def _count(self, what: Counter[str], kind: Kind, live: Live) -> None:
        # People's own doings are no matter, and the names of Pods are never the same twice.
        if kind in CHILDREN and not of_the_past(kind, live.metadata.name):
            what[f"{kind.kind} {live.metadata.name}"] += 1


class Observer:
    """Sees what comes and goes in every namespace, whoever does it. To be `run` while plans are played."""

    def __init__(self, transport: Transport) -> None:
        self._sights: defaultdict[str, Sight] = defaultdict(Sight)
        self._client = Client(transport)
        self._informers = [
            *(self._informer(kind, Live, OURS) for kind in CHILDREN),
            self._informer(kinds.POD, Live, JOB_PODS),
            *(self._informer(kind, Speaking) for kind in (BENCH, SITE)),
        ]

    async def run(self) -> None:
        """Never returns."""
        await asyncio.gather(*(informer.run() for informer in self._informers))

    async def knows_all(self) -> None:
        """Until nothing escapes it any more."""
        for informer in self._informers:
            await informer.synced.wait()

    def of(self, namespace: str) -> Sight:
        """What there was to see of a namespace so far."""
        return self._sights[namespace]

    def _informer(self, kind: Kind, projection: type[Live], labels: str = "") -> Informer:
        whole = projection is not Live
        decoder = Decoder(projection, metadata_only=not whole)
        return Informer(self._client, Store(kind), decoder, self._notice, labels=labels, metadata_only=not whole)

    def _notice(self, change: Change) -> None:
        live = change.new or change.old
        assert live is not None
        self._sights[live.metadata.namespace].notice(change, asyncio.get_running_loop().time())


def _as_said(live: Speaking) -> dict[str, Any]:
    return {"metadata": {"generation": live.metadata.generation}, "status": live.status}


def _ready(live: Speaking) -> bool:
    return any(
        each["type"] == "Ready"
        and each["status"] == "True"
        and each.get("observedGeneration") == live.metadata.generation
        for each in _conditions(live)
    )


def _conditions(live: Speaking) -> Iterable[dict[str, Any]]:
    conditions: list[dict[str, Any]] = live.status.get("conditions", [])
    return conditions
