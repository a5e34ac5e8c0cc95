"""Replicas and resources per component: from the site, otherwise from the bench, otherwise the default."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from frappe_operator.api.types import QUANTITY_MESSAGE, Resources
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model.precedence import first
from frappe_operator.model.scaling import Autoscaler


class Size(Struct, frozen=True):
    """Replicas and resources of one component."""

    replicas: int
    """The declared number; with an autoscaler the one that it starts from."""
    resources: Manifest
    """The field `resources` of the main container."""
    autoscaler: Autoscaler | None = None
    """The autoscaler that decides on the number of replicas; None when the spec does."""

    @property
    def least(self) -> int:
        """The smallest number of replicas that the component may have."""
        return self.autoscaler.min_replicas if self.autoscaler else self.replicas

    @property
    def most(self) -> int:
        """The largest number of replicas that the component may have."""
        return self.autoscaler.max_replicas if self.autoscaler else self.replicas


def size(replicas: int, resources: Manifest, autoscaler: Autoscaler | None) -> Size:
    """The size of a component whose declared number of replicas is `replicas`."""
    return Size(autoscaler.within(replicas) if autoscaler else replicas, resources, autoscaler)


Amounts = Mapping[str, Mapping[str, str]]
"""The maps `requests` and `limits`, each from the name of a resource to a quantity."""

DEFAULTS: dict[str, Amounts] = {
    "nginx": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "redis": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    "mariadb": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
    "gunicorn": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    "socketio": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "scheduler": {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
    "worker_default": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
    "worker_long": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
    "worker_short": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
    "front_door": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    "layout": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
    "jobs": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
}
"""Default resources per component. Memory is limited, so that one site cannot exhaust the node. CPU is not limited,
because throttling a web server benefits no one."""


def resources(component: str, *declared: Resources | None, default: Amounts | None = None) -> Manifest:
    """The field `resources` of one component.

    `requests` and `limits` each come from the first of `declared` that sets them, otherwise from the default. A
    default request is lowered to a declared limit, and a default limit is raised to a declared request. A declared
    request above its limit is lowered to it, so that the API server accepts the object; `resources_problem` reports
    it. `default`: replaces the value in `DEFAULTS`.
    """
    defaults = default or DEFAULTS[component]
    requests, limits = _declared(component, "requests", declared), _declared(component, "limits", declared)
    requests = _bounded(defaults["requests"] if requests is None else requests, limits or {}, min)
    if limits is None:
        limits = _bounded(defaults["limits"], requests, max)
    return {part: amounts for part, amounts in (("requests", requests), ("limits", limits)) if amounts}


def limits(component: str, *declared: Resources | None) -> Mapping[str, str]:
    """The declared limits of one component; empty when none are declared."""
    return _declared(component, "limits", declared) or {}


def _declared(component: str, part: str, declared: Iterable[Resources | None]) -> dict[str, str] | None:
    amounts = first(declared, part)
    if amounts is None:
        return None
    return {name: quantity(f"resources of {camel(component)}: {part}.{name}", amounts[name]) for name in amounts}


def quantity(field: str, value: str | int) -> str:
    """The value of the field `field` as the API server stores it. Raises Blocked when it is not a quantity."""
    try:
        return canonical(value)
    except ValueError:
        raise Blocked(Reason.INVALID_SPEC, f"{field} is {value}: {QUANTITY_MESSAGE}") from None


def _bounded(defaults: Mapping[str, str], declared: Mapping[str, str], choose: Callable[..., str]) -> dict[str, str]:
    return {name: choose(value, declared.get(name, value), key=amount) for name, value in defaults.items()}


def resources_problem(component: str, *declared: Resources | None) -> str:
    """A message about the first declared request of one component that is above its limit; empty when there is none."""
    requests, limits = _declared(component, "requests", declared) or {}, _declared(component, "limits", declared) or {}
    for name, value in requests.items():
        if name in limits and amount(value) > amount(limits[name]):
            return (
                f"resources of {camel(component)}: the request of {value} {name} is above the limit of {limits[name]}: "
                "lower the request or raise the limit"
            )
    return ""


def camel(component: str) -> str:
    """Name of a component in camelCase, as in the spec: `workerDefault`."""
    begin, *rest = component.split("_")
    return begin + "".join(word.capitalize() for word in rest)


def replicas(component: str, *declared: Any, default: int = 1) -> int:
    """Replicas of one component: from the first of `declared` that sets it, otherwise `default`."""
    declared_count = first(declared, component)
    return default if declared_count is None else int(declared_count)
