"""How many pods, and how large: the site's word, else the bench's, else ours."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from frappe_operator.api.types import QUANTITY_MESSAGE, Resources
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked


class Size(Struct, frozen=True):
    """One component's pods."""

    replicas: int
    resources: Manifest
    """`resources` of its main container."""


Amounts = Mapping[str, Mapping[str, str]]
"""`requests` and `limits`, each by the name of what is counted."""

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
"""What a component gets when nobody says anything. Memory is bounded, so that one site cannot take the node;
CPU is not, because a throttled web server is slow for no one's benefit."""


def resources(component: str, *asked: Resources | None, default: Amounts | None = None) -> Manifest:
    """`resources` of one component: `requests` and `limits` each from the first of `asked` that names them, else ours.

    What is ours gives way: a request to a limit that was asked for, a limit to a request. A request that is asked for
    above its limit is lowered to it, so that the object stays one that the API server takes (see `resources_problem`).
    `default`: ours, where it is not the usual one.
    """
    ours = default or DEFAULTS[component]
    requests, limits = _asked(component, "requests", asked), _asked(component, "limits", asked)
    requests = _bounded(ours["requests"] if requests is None else requests, limits or {}, min)
    if limits is None:
        limits = _bounded(ours["limits"], requests, max)
    return {part: amounts for part, amounts in (("requests", requests), ("limits", limits)) if amounts}


def limits(component: str, *asked: Resources | None) -> Mapping[str, str]:
    """The limits that were asked for, none where there are none."""
    return _asked(component, "limits", asked) or {}


def _asked(component: str, part: str, asked: Iterable[Resources | None]) -> dict[str, str] | None:
    named = (getattr(each, part) for each in asked if each is not None)
    amounts = next((each for each in named if each is not None), None)
    if amounts is None:
        return None
    return {name: written(f"resources of {camel(component)}: {part}.{name}", amounts[name]) for name in amounts}


def written(field: str, asked: str | int) -> str:
    """An amount as the API server writes it. Raises Blocked if it is not a quantity."""
    try:
        return canonical(asked)
    except ValueError:
        raise Blocked(Reason.INVALID_SPEC, f"{field} is {asked}: {QUANTITY_MESSAGE}") from None


def _bounded(ours: Mapping[str, str], asked: Mapping[str, str], choose: Callable[..., str]) -> dict[str, str]:
    return {name: choose(value, asked.get(name, value), key=amount) for name, value in ours.items()}


def resources_problem(component: str, *asked: Resources | None) -> str:
    """What is wrong with the amounts asked for one component: a request above its limit. Empty when nothing is."""
    requests, limits = _asked(component, "requests", asked) or {}, _asked(component, "limits", asked) or {}
    for name, value in requests.items():
        if name in limits and amount(value) > amount(limits[name]):
            return (
                f"resources of {camel(component)}: the request of {value} {name} is above the limit of {limits[name]}: "
                "lower the request or raise the limit"
            )
    return ""


def camel(component: str) -> str:
    """A component as the spec writes it: `workerDefault`."""
    first, *rest = component.split("_")
    return first + "".join(word.capitalize() for word in rest)


def replicas(component: str, *asked: Any, default: int = 1) -> int:
    """Number of pods of one component: from the first of `asked` that names it."""
    named = (getattr(each, component) for each in asked if each is not None)
    return next((count for count in named if count is not None), default)
