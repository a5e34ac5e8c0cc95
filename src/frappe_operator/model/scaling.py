"""Who decides on the number of replicas of a component: its spec, or a HorizontalPodAutoscaler."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from frappe_operator.api.scaling import Autoscaling, Behavior, ComponentHPA
from frappe_operator.api.types import REALTIME_REPLICAS
from frappe_operator.kube.live import Autoscaler as LiveAutoscaler
from frappe_operator.kube.live import Workload
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.precedence import first

BEFORE_ANNOTATION = f"{GROUP}/replicas-before"
"""Annotation of a Deployment that has an autoscaler and that an upgrade has scaled to zero: its number of replicas
before that."""

DEFAULT_MAX_REPLICAS = 10
FEWER_REPLICAS: Mapping[str, int] = {"socketio": REALTIME_REPLICAS}
"""The default of components that do not have DEFAULT_MAX_REPLICAS."""
DEFAULT_TARGETS: Mapping[str, int] = {"cpu": 80}
EVERYTHING: Manifest = {"type": "Percent", "value": 100, "periodSeconds": 15}
DEFAULT_BEHAVIOR: Mapping[str, Manifest] = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, EVERYTHING],
    },
    "scaleDown": {"stabilizationWindowSeconds": 300, "selectPolicy": "Max", "policies": [EVERYTHING]},
}
"""Written out, so that it does not depend on the cluster: its administrator can change what an autoscaler does that
says nothing."""


class Autoscaler(Struct, frozen=True):
    """The desired HorizontalPodAutoscaler of a component."""

    min_replicas: int
    max_replicas: int
    targets: Mapping[str, int]
    """By resource, the average usage to aim at, in percent of the requests."""
    behavior: Manifest

    def within(self, replicas: int) -> int:
        """The number of replicas, or the nearest that the autoscaler allows."""
        return min(max(replicas, self.min_replicas), self.max_replicas)


def autoscaler(component: str, *declared: ComponentHPA | None) -> Autoscaler | None:
    """The autoscaler of a component; None when none is enabled. Each field comes from the first of `declared` that sets
    it. A minimum above the maximum is lowered to it, so that the API server accepts the object; `problem` reports it.
    """
    rows = _rows(component, declared)
    if not first(rows, "enabled"):
        return None
    least = first(rows, "min_replicas") or 1
    most = first(rows, "max_replicas") or max(FEWER_REPLICAS.get(component, DEFAULT_MAX_REPLICAS), least)
    targets = {
        resource: percent
        for resource in ("cpu", "memory")
        if (percent := first(rows, f"target_{resource}_utilization")) is not None
    }
    behavior = [each.behavior for each in rows if each.behavior is not None]
    return Autoscaler(min(least, most), most, targets or DEFAULT_TARGETS, _behavior(behavior))


def problem(component: str, containers: Mapping[str, Manifest], *declared: ComponentHPA | None) -> str:
    """A message about what prevents the autoscaler of a component from scaling; empty when nothing does, or there is
    none. `containers`: the field `resources` of each container of the pods, by its name in `componentResources`."""
    rows, decided = _rows(component, declared), autoscaler(component, *declared)
    if decided is None:
        return ""
    least = first(rows, "min_replicas") or 1
    if least > decided.max_replicas:
        return (
            f"componentHPA.{component}: minReplicas is {least}, but maxReplicas is {decided.max_replicas}: lower "
            "minReplicas or raise maxReplicas"
        )
    for resource in decided.targets:
        for container, amounts in containers.items():
            # The API server takes a limit for the request where there is none.
            if not any(resource in amounts.get(part, {}) for part in ("requests", "limits")):
                target = f"target{'CPU' if resource == 'cpu' else 'Memory'}Utilization"
                return (
                    f"componentHPA.{component}: {target} is in percent of the {resource} requests, but {container} "
                    f"requests no {resource}: set componentResources.{container}.requests.{resource}, or another target"
                )
    return ""


def _rows(component: str, declared: Iterable[ComponentHPA | None]) -> list[Autoscaling]:
    found = (getattr(each, component, None) for each in declared if each is not None)
    return [each for each in found if each is not None]


def _behavior(declared: Sequence[Behavior]) -> Manifest:
    found = {}
    for direction, attribute in (("scaleUp", "scale_up"), ("scaleDown", "scale_down")):
        rules = [each for row in declared if (each := getattr(row, attribute)) is not None]
        # The first of `declared` wins: it is merged last.
        found[direction] = dict(DEFAULT_BEHAVIOR[direction])
        for each in reversed(rules):
            found[direction].update(msgspec.to_builtins(each))
    return found


class LiveScale(NamedTuple):
    """What exists of a component with replicas."""

    replicas: int
    """The number in the spec of the Deployment; 0 when there is no Deployment."""
    before: int = 0
    """The number in BEFORE_ANNOTATION; 0 when there is none."""
    has_autoscaler: bool = False
    """Whether an autoscaler exists, be it one that is being deleted."""


NOTHING_LIVE = LiveScale(0)


def live_scale(deployment: Workload | None, autoscaler: LiveAutoscaler | None) -> LiveScale:
    """What exists of a component, from its cached Deployment and autoscaler."""
    if deployment is None:
        return LiveScale(0, has_autoscaler=autoscaler is not None)
    before = deployment.metadata.annotation(BEFORE_ANNOTATION)
    # Anybody may have written it.
    readable = before.isdecimal() and len(before) < 5
    return LiveScale(deployment.spec.replicas, int(before) if readable else 0, autoscaler is not None)


class Scale(NamedTuple):
    """What is applied to a Deployment of its number of replicas."""

    replicas: int | None
    """The number, None to leave it to the autoscaler."""
    before: int = 0
    """The number to record in BEFORE_ANNOTATION, 0 for none."""

    @property
    def metadata(self) -> Manifest:
        """The part of the Deployment's metadata."""
        return {"annotations": {BEFORE_ANNOTATION: str(self.before)}} if self.before else {}

    @property
    def spec(self) -> Manifest:
        """The part of the Deployment's spec."""
        return {} if self.replicas is None else {"replicas": self.replicas}


def scale(replicas: int, autoscaler: Autoscaler | None, live: LiveScale, *, stopped: bool = False) -> Scale:
    """What is applied to a Deployment of its number of replicas. `replicas`: the declared number. `stopped`: whether an
    upgrade stops the pods.

    An autoscaler does nothing at zero. So the number is applied that a stopped component had before, or the declared
    one where it had none; the autoscaler decides from there on.
    """
    if stopped:
        return Scale(0, (live.replicas or live.before) if autoscaler else 0)
    if live.replicas == 0:
        return Scale(autoscaler.within(live.before or replicas) if autoscaler else replicas)
    # As long as an autoscaler exists it would undo what is applied, and pods would end for nothing.
    if autoscaler or live.has_autoscaler:
        return Scale(None)
    return Scale(replicas)
