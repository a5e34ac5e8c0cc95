"""The real scheduler spreads replicas over nodes and zones, where there are zones and where there are none."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from frappe_operator.components.pod import template
from frappe_operator.model.owner import Owner
from sandbox.cluster import Cluster
from tests.unit.resolved_samples import a_site

pytestmark = [pytest.mark.cluster]

ZONE = "topology.kubernetes.io/zone"
PART = "gunicorn"
EMPTY, FULL = "0", "4000"
"""CPU that other pods have requested of a node's 4096. The scheduler prefers an empty one to a full one."""

Nodes = Callable[..., "Placement"]


class Placement:
    """A Deployment with the operator's pod template, on nodes that only its pods may use."""

    def __init__(self, cluster: Cluster, namespace: str, nodes: dict[str, tuple[str, str]]) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._zones = {f"{namespace}-{name}": zone for name, (zone, _) in nodes.items()}
        self.apply(*(_node(f"{namespace}-{name}", zone, namespace) for name, (zone, _) in nodes.items()))
        names = [f"node/{name}" for name in self._zones]
        self.kubectl("wait", *names, "--for=condition=Ready", "--timeout=60s")
        used = {f"{namespace}-{name}": cpu for name, (_, cpu) in nodes.items() if cpu != EMPTY}
        if used:
            self.apply(*(_filler(name, cpu) for name, cpu in used.items()))

    def kubectl(self, *args: str, given: str | None = None) -> str:
        return self._cluster.kubectl("--namespace", self._namespace, *args, input=given)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def run(self, replicas: int, revision: str = "", **more: Any) -> None:
        """Rolls out. `more`: fields of the pods that replace those of the template."""
        container = {"name": "main", "image": "localhost/any", "resources": {"requests": {"cpu": "1"}}}
        here = {"nodeSelector": {"only-for": self._namespace}, "tolerations": [{"operator": "Exists"}]}
        spec = {"containers": [container], **here}
        owner: Owner = a_site().owner
        pods = template(owner, PART, 1000, spec, secret_revision=revision, replicated=True)
        pods["spec"] |= more
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "front"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": pods["metadata"]["labels"]},
                "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": pods,
            },
        }
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(deployment))
        self.kubectl("rollout", "status", "deployment/front", "--timeout=120s")

    def nodes(self) -> list[str]:
        """The nodes of the pods that are not about to end, sorted."""
        selector = f"--selector=vyogo.tech/component={PART}"
        items = json.loads(self.kubectl("get", "pods", selector, "-o", "json"))["items"]
        found = [pod["spec"]["nodeName"] for pod in items if "deletionTimestamp" not in pod["metadata"]]
        return sorted(name.removeprefix(f"{self._namespace}-") for name in found)

    def zones(self) -> list[str]:
        """The zones of the same pods."""
        return sorted(self._zones[f"{self._namespace}-{name}"] for name in self.nodes())

    def remove(self) -> None:
        self.kubectl("delete", "namespace", self._namespace, "--wait=false")
        self.kubectl("delete", "nodes", *self._zones)


def _node(name: str, zone: str, group: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "only-for": group, **({ZONE: zone} if zone else {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [{"key": "only-for", "value": group, "effect": "NoSchedule"}]},
    }


def _filler(node: str, cpu: str) -> dict[str, Any]:
    container = {"name": "main", "image": "localhost/any", "resources": {"requests": {"cpu": cpu, "memory": "15Ti"}}}
    spec = {"nodeName": node, "containers": [container], "tolerations": [{"operator": "Exists"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"on-{node}"}, "spec": spec}


@pytest.fixture
def nodes(simulated_cluster: Cluster) -> Iterator[Callable[..., Placement]]:
    """Makes nodes, each given as its zone, empty for none, and the CPU that is in use."""
    made = []

    def make(**nodes: tuple[str, str]) -> Placement:
        namespace = f"spread-{time.monotonic_ns()}"
        simulated_cluster.kubectl("create", "namespace", namespace)
        made.append(Placement(simulated_cluster, namespace, nodes))
        return made[-1]

    yield make
    for each in made:
        each.remove()


def test_without_zones_each_replica_has_a_node_of_its_own_even_if_that_is_nearly_full(nodes: Nodes) -> None:
    front = nodes(empty=("", EMPTY), full=("", FULL), fuller=("", FULL))
    front.run(3)
    assert front.nodes() == ["empty", "full", "fuller"]


def test_a_second_constraint_for_zones_would_void_the_first_where_there_are_none(nodes: Nodes) -> None:
    front = nodes(empty=("", EMPTY), full=("", FULL), fuller=("", FULL))
    soft = {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": a_labels()}}
    both = [{**soft, "topologyKey": key} for key in ("kubernetes.io/hostname", ZONE)]
    front.run(3, topologySpreadConstraints=both)
    assert front.nodes() == ["empty", "empty", "empty"]


def test_replicas_are_in_different_zones_even_if_one_is_nearly_full_and_so_are_those_of_the_next_revision(
    nodes: Nodes,
) -> None:
    front = nodes(a1=("a", EMPTY), a2=("a", EMPTY), b=("b", FULL))
    front.run(2)
    assert front.zones() == ["a", "b"]
    front.run(2, revision="another")
    assert front.zones() == ["a", "b"]


def test_there_may_be_more_replicas_than_nodes(nodes: Nodes) -> None:
    front = nodes(only=("a", EMPTY))
    front.run(3)
    assert front.nodes() == ["only"] * 3


def a_labels() -> dict[str, str]:
    return {"vyogo.tech/site": "pearl", "vyogo.tech/component": PART}
