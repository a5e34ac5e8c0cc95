"""How many pods, and how large: the site's word, else the bench's, else ours."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from frappe_operator.api.types import Resources
from frappe_operator.kube.kinds import Manifest


class Size(Struct, frozen=True):
    """One component's pods."""

    replicas: int
    resources: Manifest
    """`resources` of its main container."""


DEFAULTS: dict[str, dict[str, dict[str, str]]] = {
    "nginx": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "redis": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    "mariadb": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
    "gunicorn": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    "socketio": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "scheduler": {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
    "worker_default": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
    "worker_long": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
    "worker_short": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
}
"""What a component gets when nobody says anything. Memory is bounded, so that one site cannot take the node;
CPU is not, because a throttled web server is slow for no one's benefit."""


def resources(component: str, *asked: Resources | None) -> Manifest:
    """`resources` of one component: `requests` and `limits` each from the first of `asked` that names them."""
    result: Manifest = {}
    for part in ("requests", "limits"):
        named = (getattr(each, part) for each in asked if each is not None)
        amounts: Mapping[str, Any] = next((each for each in named if each is not None), DEFAULTS[component][part])
        if amounts:
            result[part] = {name: str(amount) for name, amount in amounts.items()}
    return result


def replicas(component: str, *asked: Any, default: int = 1) -> int:
    """Number of pods of one component: from the first of `asked` that names it."""
    named = (getattr(each, component) for each in asked if each is not None)
    return next((count for count in named if count is not None), default)
