"""Events: what `kubectl describe` shows of the past. Nothing depends on them, and they never stand in the way."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import structlog

from frappe_operator.kube.kinds import EVENT, Kind, Manifest
from frappe_operator.kube.live import Condition, Custom
from frappe_operator.runtime.client.errors import ApiError
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.cluster import Cluster

log = structlog.get_logger(__name__)

LONGEST_NOTE = 1024
MOST_AT_ONCE = 20
"""Events an object may have in a row; after that it gets another one every REFILL_SECONDS. One that flaps must not fill
the API server's storage."""
REFILL_SECONDS = 60.0


class EventBudget:
    """How many more Events each object may have."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    def take(self, uid: str, now: float) -> bool:
        """Whether one more is allowed. `now` in seconds."""
        spent, since = self._spent.get(uid, (0.0, now))
        spent = max(0.0, spent - (now - since) / REFILL_SECONDS)
        if spent + 1 > MOST_AT_ONCE:
            return False
        self._spent[uid] = spent + 1, now
        if len(self._spent) > 10_000:
            self._spent = {uid: (n, at) for uid, (n, at) in self._spent.items() if (now - at) / REFILL_SECONDS < n}
        return True


async def announce(cluster: Cluster, kind: Kind, owner: Custom, turns: Sequence[Condition]) -> None:
    """One Event for each condition that has turned."""
    for turn in turns:
        if not cluster.state(EventBudget).take(owner.metadata.uid, cluster.clock()):
            return
        try:
            await cluster.client.create(event(kind, owner, turn, cluster.clock(), cluster.instance))
        except (ApiError, TransportError) as error:
            log.info("event not written", object=str(owner.metadata.key), reason=turn.reason, error=str(error))


def event(kind: Kind, owner: Custom, turn: Condition, clock: float, instance: str) -> Manifest:
    """The Event for one turn of a condition."""
    meta = owner.metadata
    time = datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    mark = sha256(f"{meta.uid} {turn.type} {turn.status} {turn.reason} {time}".encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{meta.name[:200].rstrip('.-')}.{mark}", "namespace": meta.namespace or "default"},
        "eventTime": time,
        "reportingController": "vyogo.tech/frappe-operator",
        "reportingInstance": instance[:128],
        "action": turn.type,
        "reason": turn.reason,
        "type": "Normal" if turn.status == "True" else "Warning",
        "note": turn.message[:LONGEST_NOTE],
        "regarding": {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
        },
    }
