"""Many events at once, made before they are sent: what Deployments of a busy cluster do."""

from collections.abc import Iterator

from benchmark.synthetic_objects import Copy, Event, Population
from frappe_operator.kube.kinds import DEPLOYMENT, Manifest

BATCH = 1000
SPEC_EVERY = 20
"""Every so-manieth event changes a spec, the others a status."""


class Storm:
    """Events of Deployments: nineteen of twenty are changes of status (a pod that is ready, or not any more), the
    twentieth one of the spec (an autoscaler's)."""

    kind = DEPLOYMENT

    def __init__(self, population: Population, events: int) -> None:
        self.batches: list[list[Event]] = []
        made = list(_events(population, events))
        for start in range(0, len(made), BATCH):
            self.batches.append(made[start : start + BATCH])


def _events(population: Population, wanted: int) -> Iterator[Event]:
    copies = [each for each in population.objects[DEPLOYMENT].values() if isinstance(each, Copy)]
    templates = list({id(each.template): each.template for each in copies}.values())
    states = {
        id(each): (each.variant(_not_ready), each.variant(_ready_again), each.variant(_scaled)) for each in templates
    }
    for number in range(wanted):
        copy = copies[number % len(copies)]
        down, up, scaled = states[id(copy.template)]
        population.version += 1
        state = scaled if number % SPEC_EVERY == 0 else down if number // len(copies) % 2 == 0 else up
        body = state.render(copy.place, population.version)
        yield Event(population.version, b'{"type":"MODIFIED","object":' + body + b"}\n", b"")


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


def _say(status: Manifest, said: str, reason: str) -> None:
    status["conditions"] = [{**each, "status": said, "reason": reason} for each in status.get("conditions", [])]
