"""Watches the real cluster while plans run: objects created and deleted in each namespace, and their statuses."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import field

from fakecluster.comparison import is_history
from fakecluster.world import contradictions
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live
from frappe_operator.kube.names import JOB_LABEL, JOB_PODS, OPERATOR_SELECTOR
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


class LiveWithStatus(Live):
    """A bench or a site with its status."""

    status: dict[str, Any] = field(default_factory=dict)


class NamespaceView:
    """What was observed of one namespace."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        """How often each object was created."""
        self.gone: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        """By Job, how many pods were created for it."""
        self.contradictions: list[str] = []
        self.changed = 0.0
        """Loop time of the last event."""
        self._there: dict[str, tuple[Kind, Live]] = {}
        """By UID."""

    def notice(self, change: Change, now: float) -> None:
        """Takes an event of a watch into account."""
        old, new = change.old, change.new
        self.changed = now
        if isinstance(new, LiveWithStatus):
            self.contradictions += [
                f"{change.kind.kind} {new.metadata.name}: {lie}" for lie in contradictions(_as_said(new))
            ]
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
        """Whether every bench and site is Ready for its current generation, and every deleted one is gone."""
        sites = any(kind == SITE for kind, _ in self._there.values())
        # A bench that is to go stays for as long as it has a site.
        held = (BENCH,) if sites else ()
        for kind, live in self._there.values():
            if live.deleting and kind not in held:
                return False
            if isinstance(live, LiveWithStatus) and not live.deleting and not _ready(live):
                return False
            if any(owner.uid not in self._there for owner in live.metadata.owner_references):
                return False
        return True

    def knows(self, asked_for: Mapping[str, int]) -> bool:
        """Whether the watches have caught up with these versions of benches and sites, by UID."""
        speaking = (live.metadata for _, live in self._there.values() if isinstance(live, LiveWithStatus))
        return asked_for == {metadata.uid: metadata.resource_version for metadata in speaking}

    def _count(self, what: Counter[str], kind: Kind, live: Live) -> None:
        # People's own doings are no matter, and the names of Pods are never the same twice.
        if kind in CHILDREN and not is_history(kind, live.metadata.name):
            what[f"{kind.kind} {live.metadata.name}"] += 1


class Observer:
    """Watches every namespace. To be `run` while plans run."""

    def __init__(self, transport: Transport) -> None:
        self._sights: defaultdict[str, NamespaceView] = defaultdict(NamespaceView)
        self._client = Client(transport)
        self._informers = [
            *(self._informer(kind, Live, OPERATOR_SELECTOR) for kind in CHILDREN),
            self._informer(kinds.POD, Live, JOB_PODS),
            *(self._informer(kind, LiveWithStatus) for kind in (BENCH, SITE)),
        ]

    async def run(self) -> None:
        """Never returns."""
        await asyncio.gather(*(informer.run() for informer in self._informers))

    async def knows_all(self) -> None:
        """Waits until every watch has listed what exists."""
        for informer in self._informers:
            await informer.synced.wait()

    def of(self, namespace: str) -> NamespaceView:
        """What was observed of a namespace so far."""
        return self._sights[namespace]

    def _informer(self, kind: Kind, projection: type[Live], labels: str = "") -> Informer:
        whole = projection is not Live
        decoder = Decoder(projection, metadata_only=not whole)
        return Informer(self._client, Store(kind), decoder, self._notice, labels=labels, metadata_only=not whole)

    def _notice(self, change: Change) -> None:
        live = change.new or change.old
        assert live is not None
        self._sights[live.metadata.namespace].notice(change, asyncio.get_running_loop().time())


def _as_said(live: LiveWithStatus) -> dict[str, Any]:
    return {"metadata": {"generation": live.metadata.generation}, "status": live.status}


def _ready(live: LiveWithStatus) -> bool:
    return any(
        each["type"] == "Ready"
        and each["status"] == "True"
        and each.get("observedGeneration") == live.metadata.generation
        for each in _conditions(live)
    )


def _conditions(live: LiveWithStatus) -> Iterable[dict[str, Any]]:
    conditions: list[dict[str, Any]] = live.status.get("conditions", [])
    return conditions
