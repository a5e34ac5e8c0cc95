"""A burst of watch events of Deployments, rendered before they are sent."""

from collections.abc import Iterator, Mapping

from benchmark.synthetic_objects import Copy
from fakecluster.apiserver.store import Change, SerializedRecord, Store
from frappe_operator.kube.kinds import DEPLOYMENT
from frappe_operator.kube.objects import Manifest

BATCH = 1000
SPEC_EVERY = 20
"""One event of so many changes a spec, the others a status."""


class Rendered(SerializedRecord):
    """A state of an object that was rendered before it is sent."""

    __slots__ = ("_labels", "_wire")

    def __init__(self, wire: bytes, labels: Mapping[str, str]) -> None:
        self._wire = wire
        self._labels = labels

    @property
    def wire(self) -> bytes:
        return self._wire

    @property
    def labels(self) -> Mapping[str, str]:
        return self._labels


class Storm:
    """Events of Deployments: nineteen of twenty are changes of status (a pod that is ready, or not any more), the
    twentieth one of the spec (an autoscaler's)."""

    kind = DEPLOYMENT

    def __init__(self, store: Store, events: int) -> None:
        made = list(_changes(store, events))
        self.batches = [made[start : start + BATCH] for start in range(0, len(made), BATCH)]


def _changes(store: Store, wanted: int) -> Iterator[Change]:
    copies = [each for each in store.objects[DEPLOYMENT].values() if isinstance(each, Copy)]
    templates = list({id(each.template): each.template for each in copies}.values())
    states = {
        id(each): (each.variant(_not_ready), each.variant(_ready_again), each.variant(_scaled)) for each in templates
    }
    for number in range(wanted):
        copy = copies[number % len(copies)]
        down, up, scaled = states[id(copy.template)]
        store.version += 1
        state = scaled if number % SPEC_EVERY == 0 else down if number // len(copies) % 2 == 0 else up
        record = Rendered(state.render(copy.place, store.version), copy.labels)
        yield Change(store.version, "MODIFIED", record, record)


def _not_ready(obj: Manifest) -> None:
    status = obj["status"]
    status["unavailableReplicas"] = status.pop("availableReplicas", 1)
    status.pop("readyReplicas", None)
    _say(status, "False", "MinimumReplicasUnavailable")


def _ready_again(obj: Manifest) -> None:
    _say(obj["status"], "True", "MinimumReplicasAvailable")


def _scaled(obj: Manifest) -> None:
    obj["metadata"]["generation"] = obj["status"]["observedGeneration"] = 2
    obj["spec"]["replicas"] = 3


def _say(status: Manifest, log_lines: str, reason: str) -> None:
    status["conditions"] = [{**each, "status": log_lines, "reason": reason} for each in status.get("conditions", [])]
