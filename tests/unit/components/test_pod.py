"""Properties of every pod template."""

from typing import Any

import pytest

from frappe_operator.components import background, gunicorn, proxy, socketio
from frappe_operator.components.pod import affinity
from frappe_operator.components.storage import common_node, files_node
from tests.unit.resolved_samples import a_bench, a_site


def test_a_pod_that_mounts_two_volumes_runs_where_both_are() -> None:
    """Each volume can be mounted on one node only, so the pod has both affinity terms, in either order."""
    of_bench, of_site = common_node(a_bench()), files_node(a_site())
    required = affinity(*of_bench, *of_site)["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert required == [*of_bench, *of_site]
    assert [each["labelSelector"]["matchLabels"] for each in required] == [
        {"vyogo.tech/bench": "pier", "vyogo.tech/common-storage": "mounted"},
        {"vyogo.tech/site": "pearl"},
    ]


def test_a_pod_may_run_anywhere_without_terms() -> None:
    assert affinity() == {}
    everywhere = {"accessMode": "ReadWriteMany"}
    assert affinity(*common_node(a_bench(storage=everywhere)), *files_node(a_site(storage=everywhere))) == {}


EVERYWHERE = {"accessMode": "ReadWriteMany"}
SPREAD = {"nginx", "gunicorn", "socketio", "worker-default", "worker-long", "worker-short"}


def pods(storage: dict[str, str], replicas: int) -> dict[str, Any]:
    """The pods of all Deployments of a bench and a site, by component."""
    numbers = dict.fromkeys(("nginx", "gunicorn", "workerDefault", "workerLong", "workerShort"), replicas)
    bench = a_bench(storage=storage, componentReplicas=numbers)
    site = a_site(storage=storage, componentReplicas={each: numbers[each] for each in numbers if each != "nginx"})
    made = [*proxy.build(bench), *gunicorn.build(site), *socketio.build(site), *background.build(site)]
    found = [each for each in made if each["kind"] == "Deployment"]
    return {each["metadata"]["labels"]["vyogo.tech/component"]: each["spec"]["template"]["spec"] for each in found}


def test_what_can_have_replicas_is_spread_over_nodes_and_zones_and_nothing_else_is() -> None:
    found = pods(EVERYWHERE, 2)
    assert {part for part, pod in found.items() if "topologySpreadConstraints" in pod} == SPREAD
    assert set(found) - SPREAD == {"scheduler"}
    assert "affinity" not in found["scheduler"]
    for part in SPREAD:
        owner = "bench" if part == "nginx" else "site"
        labels = {f"vyogo.tech/{owner}": "pier" if part == "nginx" else "pearl", "vyogo.tech/component": part}
        (nodes,) = found[part]["topologySpreadConstraints"]
        assert (nodes["topologyKey"], nodes["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
        preferred = found[part]["affinity"]["podAntiAffinity"]
        assert set(preferred) == {"preferredDuringSchedulingIgnoredDuringExecution"}
        (zones,) = preferred["preferredDuringSchedulingIgnoredDuringExecution"]
        assert zones["podAffinityTerm"]["topologyKey"] == "topology.kubernetes.io/zone"
        for each in (nodes, zones["podAffinityTerm"]):
            assert each["labelSelector"] == {"matchLabels": labels}
            assert each["matchLabelKeys"] == ["pod-template-hash"]


def test_pods_that_must_run_on_the_node_of_a_volume_keep_their_affinity_and_are_not_spread() -> None:
    for part, pod in pods({}, 2).items():
        assert list(pod["affinity"]) == ["podAffinity"], part
        assert "topologySpreadConstraints" not in pod, part


@pytest.mark.parametrize("storage", [{}, EVERYWHERE])
def test_another_number_of_replicas_restarts_no_pod(storage: dict[str, str]) -> None:
    assert pods(storage, 1) == pods(storage, 2) == pods(storage, 0)
