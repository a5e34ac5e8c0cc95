"""Autoscaler and disruption budget of a Deployment with replicas."""

from frappe_operator.components.metadata import metadata, selector
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner
from frappe_operator.model.scaling import Autoscaler
from frappe_operator.model.sizing import Size


def build(owner: Owner, name: str, part: str, size: Size) -> list[Manifest]:
    """The HorizontalPodAutoscaler and the PodDisruptionBudget of the Deployment `name`, as far as it has them."""
    found = [] if size.autoscaler is None else [_autoscaler(owner, name, part, size.autoscaler)]
    # With one replica, a budget would either keep its node from being drained, or allow everything.
    return [*found, _budget(owner, name, part)] if size.least >= 2 else found


def _autoscaler(owner: Owner, name: str, part: str, autoscaler: Autoscaler) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(owner, name, part),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": autoscaler.min_replicas,
            "maxReplicas": autoscaler.max_replicas,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": resource, "target": {"type": "Utilization", "averageUtilization": percent}},
                }
                for resource, percent in autoscaler.targets.items()
            ],
            "behavior": autoscaler.behavior,
        },
    }


def _budget(owner: Owner, name: str, part: str) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, name, part),
        "spec": {
            "selector": {"matchLabels": selector(owner, part)},
            "maxUnavailable": 1,
            # A pod that is not ready serves nobody: it must not keep its node from being drained.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
