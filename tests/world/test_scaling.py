"""Autoscalers and disruption budgets: the number of replicas changes hands without a dip, and comes back after an
upgrade."""

from collections.abc import Iterable
from typing import Any

import pytest

from fakecluster.controllers.kubelet import image_digest
from fakecluster.faults import AnyFault, Fault
from fakecluster.frappe import VERSIONS
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import DEPLOYMENT, HPA, JOB, PDB, POD, SERVICE, Kind, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.scaling import BEFORE_ANNOTATION
from frappe_operator.runtime.apply.replicas import KEEPER

WEB = "acme-gunicorn"
EXAMPLE = {"enabled": True, "minReplicas": 2, "maxReplicas": 10, "targetCPUUtilization": 70}
"""The example of the specification."""


def numbers(world: World, name: str = WEB) -> list[int]:
    """The replicas that the spec of a Deployment has from now on, one number after the other."""
    live = world.get(DEPLOYMENT, name)
    found = [live["spec"]["replicas"]] if live else []

    def notice(ref: Ref, change: Any) -> None:
        if ref.kind is DEPLOYMENT and ref.name == name and change.record is not None:
            replicas = change.record.obj["spec"]["replicas"]
            found.extend([replicas] if found[-1:] != [replicas] else [])

    world.api.store.listeners.append(notice)
    return found


def scaled(world: World, replicas: int, name: str = WEB) -> None:
    """The autoscaler sets a number."""
    world.api.merge(
        Ref(DEPLOYMENT, "default", name), {"spec": {"replicas": replicas}}, "kube-controller-manager", "scale"
    )


def replicas(world: World, name: str = WEB) -> int:
    return int(world.get_existing(Ref(DEPLOYMENT, "default", name))["spec"]["replicas"])


def owners(world: World, name: str = WEB) -> set[str]:
    """The field managers that own the number of replicas."""
    entries = world.get_existing(Ref(DEPLOYMENT, "default", name))["metadata"]["managedFields"]
    return {each["manager"] for each in entries if "f:replicas" in each["fieldsV1"].get("f:spec", {})}


def hpa(world: World, **fields: Any) -> None:
    """Edits componentHPA.gunicorn of the site."""
    world.edit(SITE, "acme", {"spec": {"componentHPA": {"gunicorn": fields or None}}})


def a_town(*faults: AnyFault, bench: Manifest | None = None, **site: Any) -> World:
    world = a_world(a_bench(**(bench or {})), a_site(**site), plan=faults)
    settle(world)
    return world


def test_the_example_of_the_specification_takes_over_without_a_dip() -> None:
    world = a_town(componentReplicas={"gunicorn": 3})
    seen = numbers(world)
    hpa(world, **EXAMPLE)
    settle(world)
    assert seen == [3]
    spec = world.get_existing(Ref(HPA, "default", WEB))["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": WEB}
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert owners(world) == {KEEPER}
    world.assert_no_writes(600)


def test_the_number_of_the_autoscaler_stays_through_every_other_change() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE}, componentReplicas={"gunicorn": 1})
    assert replicas(world) == 2
    scaled(world, 6)
    seen = numbers(world)
    settle(world)
    world.edit(SITE, "acme", {"spec": {"gunicorn": {"workers": 3}}})
    settle(world)
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 4, "workerLong": 2}}})
    settle(world)
    world.crash()
    settle(world)
    hpa(world, maxReplicas=8)
    settle(world)
    assert seen == [6]
    assert replicas(world, "acme-worker-long") == 2
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_the_spec_takes_over_when_the_autoscaler_is_gone() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE}, componentReplicas={"gunicorn": 4})
    scaled(world, 6)
    settle(world)
    seen = numbers(world)
    # Something holds the autoscaler: as long as it exists, it decides.
    world.edit(HPA, WEB, {"metadata": {"finalizers": ["example.com/hold"]}})
    hpa(world, enabled=False)
    settle(world)
    assert seen == [6]
    world.edit(HPA, WEB, {"metadata": {"finalizers": None}})
    settle(world)
    assert world.get(HPA, WEB) is None
    assert seen == [6, 4]
    assert owners(world) == {"frappe-operator"}
    world.assert_no_writes(600)
    hpa(world, **EXAMPLE)
    settle(world)
    assert seen == [6, 4]


FAULTS = [
    *(Fault("crash", "apply", "Deployment", WEB, nth, after=after) for nth in (2, 3, 4) for after in (False, True)),
    *(Fault(what, "apply", "HorizontalPodAutoscaler", WEB, 1) for what in ("crash", "500", "timeout")),
    *(Fault(what, "delete", "HorizontalPodAutoscaler", WEB, 1) for what in ("crash", "409", "cut")),
    *(Fault(what, "apply", "Deployment", WEB, nth, times=3) for what in ("500", "409") for nth in (2, 3)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_no_fault_on_the_way_makes_a_dip(fault: Fault) -> None:
    world = a_town(fault, componentReplicas={"gunicorn": 3})
    seen = numbers(world)
    hpa(world, **EXAMPLE)
    settle(world)
    assert world.get(HPA, WEB)
    assert owners(world) == {KEEPER}
    scaled(world, 5)
    settle(world)
    hpa(world)
    settle(world)
    assert seen == [3, 5, 3]
    assert world.faults.happened
    world.assert_no_writes(600)


def test_an_autoscaler_that_somebody_deletes_comes_back_and_the_number_stays() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    scaled(world, 5)
    settle(world)
    seen = numbers(world)
    world.delete(HPA, WEB)
    settle(world)
    assert world.get(HPA, WEB)
    assert seen == [5]


def test_a_deployment_at_zero_is_woken() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    world.edit(DEPLOYMENT, WEB, {"spec": {"replicas": 0}})
    settle(world)
    # An autoscaler does nothing at zero.
    assert replicas(world) == 2
    assert owners(world) == {KEEPER}
    assert world.condition("Ready", "acme", SITE).ok


def test_a_site_that_had_no_web_server_gets_the_smallest_number() -> None:
    world = a_town(componentReplicas={"gunicorn": 0})
    assert replicas(world) == 0
    hpa(world, **EXAMPLE)
    settle(world)
    assert replicas(world) == 2
    assert world.condition("Ready", "acme", SITE).ok


def upgraded(world: World, tag: str = "v2") -> None:
    digest = image_digest(f"registry.example.com/erp:{tag}")
    world.frappe.releases[digest] = {**VERSIONS, "frappe": "15.102.0"}
    world.edit(BENCH, "forge", {"spec": {"imageConfig": {"repository": "registry.example.com/erp", "tag": tag}}})


@pytest.mark.parametrize("fails", [False, True], ids=["migrated", "migration fails"])
def test_the_number_before_an_upgrade_comes_back(fails: bool) -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    scaled(world, 5)
    settle(world)
    seen = numbers(world)
    if fails:
        world.frappe.failing_migrations.add("acme.example.com")
    upgraded(world)
    settle(world)
    assert seen == [5, 0, 5]
    deployment = world.get_existing(Ref(DEPLOYMENT, "default", WEB))
    assert BEFORE_ANNOTATION not in deployment["metadata"].get("annotations", {})
    assert owners(world) == {KEEPER}
    assert world.condition("Ready", "acme", SITE).ok
    assert world.get(HPA, WEB)
    world.assert_no_writes(600)


def stopped(world: World) -> list[int]:
    """Begins an upgrade whose migration does not end; returns the numbers of replicas from then on."""
    scaled(world, 5)
    settle(world)
    seen = numbers(world)
    world.frappe.script["acme-upgrade-*"] = [None]
    upgraded(world)
    world.run(120)
    assert seen == [5, 0]
    assert world.all(JOB, "acme-upgrade-*")
    found = world.get_existing(Ref(DEPLOYMENT, "default", WEB))["metadata"]["annotations"]
    assert found[BEFORE_ANNOTATION] == "5"
    return seen


def resumed(world: World) -> None:
    """The migration starts again, and ends."""
    world.frappe.script.clear()
    for pod in world.all(POD, "acme-upgrade-*"):
        world.delete(POD, pod["metadata"]["name"])
    settle(world)


def test_the_number_survives_a_new_process_in_the_middle_of_the_upgrade() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    seen = stopped(world)
    world.crash()
    world.run(60)
    assert seen == [5, 0]
    resumed(world)
    assert seen == [5, 0, 5]


@pytest.mark.parametrize(
    ("fields", "after"),
    [({"maxReplicas": 3}, 3), ({"minReplicas": 7}, 7), ({"enabled": False}, 1)],
    ids=["lower maximum", "higher minimum", "no autoscaler"],
)
def test_what_the_spec_says_by_then_holds_after_an_upgrade(fields: Manifest, after: int) -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    seen = stopped(world)
    hpa(world, **fields)
    world.run(60)
    assert seen == [5, 0]
    resumed(world)
    assert seen == [5, 0, after]


def test_a_cluster_without_metrics_is_named_and_the_number_holds() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE}, componentReplicas={"gunicorn": 4}, bench=_proxy(EXAMPLE))
    assert replicas(world) == 4
    for name in (WEB, "forge-nginx"):
        inactive = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "none"}
        world.edit(HPA, name, {"status": {"conditions": [inactive]}}, subresource="status")
    settle(world)
    for condition, name, kind, autoscaler in (
        ("WorkloadsReady", "acme", SITE, WEB),
        ("ProxyReady", "forge", BENCH, "forge-nginx"),
    ):
        found = world.condition(condition, name, kind)
        assert found.ok
        assert f"HorizontalPodAutoscaler {autoscaler} has no metrics" in found.message
        assert "install metrics-server" in found.message
        assert world.condition("Ready", name, kind).ok
    assert replicas(world) == 4
    for name in (WEB, "forge-nginx"):
        active = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": ""}
        world.edit(HPA, name, {"status": {"conditions": [active]}}, subresource="status")
    settle(world)
    assert "metrics" not in world.condition("WorkloadsReady", "acme", SITE).message
    world.assert_no_writes(600)


def test_what_an_autoscaler_measures_writes_nothing() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    before = len(world.writes)
    for measured in range(20):
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": measured}}}]
        world.edit(HPA, WEB, {"status": {"currentMetrics": metrics, "desiredReplicas": 2}}, subresource="status")
        world.run(15)
    assert len(world.writes) == before


def _proxy(fields: Manifest) -> Manifest:
    return {"componentHPA": {"nginx": fields}}


def test_the_proxy_of_the_bench_has_an_autoscaler_of_its_own() -> None:
    world = a_town(bench={"componentReplicas": {"nginx": 3}})
    seen = numbers(world, "forge-nginx")
    world.edit(BENCH, "forge", {"spec": _proxy(EXAMPLE)})
    settle(world)
    scaled(world, 5, "forge-nginx")
    settle(world)
    # Defaults of the bench are for its sites; nginx is its own.
    assert [each["metadata"]["name"] for each in world.all(HPA)] == ["forge-nginx"]
    world.edit(BENCH, "forge", {"spec": {"componentHPA": None}})
    settle(world)
    assert seen == [3, 5, 3]
    assert world.condition("Ready", "acme", SITE).ok


def test_the_fields_of_the_site_win_over_those_of_the_bench() -> None:
    world = a_town(
        bench={"componentHPA": {"gunicorn": {**EXAMPLE, "behavior": {"scaleDown": {"selectPolicy": "Min"}}}}},
        componentHPA={"gunicorn": {"maxReplicas": 4, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}},
    )
    spec = world.get_existing(Ref(HPA, "default", WEB))["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    down = spec["behavior"]["scaleDown"]
    assert (down["stabilizationWindowSeconds"], down["selectPolicy"]) == (60, "Min")
    hpa(world, enabled=False)
    settle(world)
    assert world.get(HPA, WEB) is None


def budgets(world: World) -> list[str]:
    return [each["metadata"]["name"] for each in world.all(PDB)]


def test_a_disruption_budget_exists_from_two_replicas_on() -> None:
    world = a_town()
    assert budgets(world) == []
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 2}}})
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": {"nginx": 2}}})
    settle(world)
    assert budgets(world) == [WEB, "forge-nginx"]
    spec = world.get_existing(Ref(PDB, "default", WEB))["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    template = world.get_existing(Ref(DEPLOYMENT, "default", WEB))["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    hpa(world, **{**EXAMPLE, "minReplicas": 1})
    world.edit(BENCH, "forge", {"spec": {"componentReplicas": {"nginx": 1}}})
    settle(world)
    # One pod may be all there is.
    assert budgets(world) == []
    hpa(world, minReplicas=2)
    settle(world)
    assert budgets(world) == [WEB]
    world.assert_no_writes(600)


def test_a_deleted_site_leaves_neither_autoscaler_nor_budget() -> None:
    world = a_town(componentHPA={"gunicorn": EXAMPLE})
    assert _named(world, HPA, PDB) == [WEB, WEB]
    world.delete(SITE, "acme")
    settle(world)
    assert _named(world, HPA, PDB) == []


def _named(world: World, *kinds: Kind) -> Iterable[str]:
    return [each["metadata"]["name"] for kind in kinds for each in world.all(kind)]


def test_more_realtime_servers_come_with_what_they_need_and_go_with_it() -> None:
    name, world = "acme-socketio", a_town()
    needed = ((SERVICE, "acme-socketio-replicas"), (PDB, name))
    for spec, expected in (
        ({"componentReplicas": {"socketio": 3}}, 3),
        ({"componentHPA": {"socketio": {"enabled": True, "minReplicas": 2}}}, 3),
    ):
        world.edit(SITE, "acme", {"spec": spec})
        settle(world)
        assert replicas(world, name) == expected
        assert all(world.get(kind, of) is not None for kind, of in needed)
    assert owners(world, name) == {KEEPER}
    world.edit(SITE, "acme", {"spec": {"componentReplicas": None, "componentHPA": None}})
    settle(world)
    assert replicas(world, name) == 1
    assert all(world.get(kind, of) is None for kind, of in (*needed, (HPA, name)))
    assert world.get(SERVICE, name) is not None
