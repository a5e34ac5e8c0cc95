"""Events, which `kubectl describe` shows. Nothing depends on them: a failure to write one is only logged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import structlog

from frappe_operator.kube.kinds import EVENT, Kind
from frappe_operator.kube.live import Condition, Custom
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.errors import ApiError
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.cluster import Cluster

log = structlog.get_logger(__name__)

LONGEST_NOTE = 1024
MOST_AT_ONCE = 20
"""How many Events an object may have in a row; then one every REFILL_SECONDS. A flapping object must not fill the API
server's storage."""
REFILL_SECONDS = 60.0


class EventBudget:
    """How many more Events each object may have."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    def take(self, uid: str, now: float) -> bool:
        """Whether an object may have one more Event now. `now` in seconds."""
        spent, since = self._spent.get(uid, (0.0, now))
        spent = max(0.0, spent - (now - since) / REFILL_SECONDS)
        if spent + 1 > MOST_AT_ONCE:
            return False
        self._spent[uid] = spent + 1, now
        if len(self._spent) > 10_000:
            self._spent = {uid: (n, at) for uid, (n, at) in self._spent.items() if (now - at) / REFILL_SECONDS < n}
        return True


async def record_events(cluster: Cluster, kind: Kind, owner: Custom, transitions: Sequence[Condition]) -> None:
    """Creates one Event for each condition that has changed."""
    for condition in transitions:
        if not cluster.state(EventBudget).take(owner.metadata.uid, cluster.clock()):
            return
        try:
            await cluster.client.create(event(kind, owner, condition, cluster.clock(), cluster.instance))
        except (ApiError, TransportError) as error:
            log.info(
                "Event could not be written", object=str(owner.metadata.key), reason=condition.reason, error=str(error)
            )


def event(kind: Kind, owner: Custom, condition: Condition, clock: float, instance: str) -> Manifest:
    """The Event for one change of a condition."""
    meta = owner.metadata
    time = datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    mark = sha256(f"{meta.uid} {condition.type} {condition.status} {condition.reason} {time}".encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{meta.name[:200].rstrip('.-')}.{mark}", "namespace": meta.namespace or "default"},
        "eventTime": time,
        "reportingController": "vyogo.tech/frappe-operator",
        "reportingInstance": instance[:128],
        "action": condition.type,
        "reason": condition.reason,
        "type": "Normal" if condition.status == "True" else "Warning",
        "note": condition.message[:LONGEST_NOTE],
        "regarding": {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
        },
    }
