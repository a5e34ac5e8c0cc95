"""Who decides on the number of replicas, and what is applied of it."""

from typing import Any

import pytest

from frappe_operator.kube.live import Autoscaler as LiveAutoscaler
from frappe_operator.kube.live import Meta, ReplicaSpec, Workload
from frappe_operator.model.scaling import (
    BEFORE_ANNOTATION,
    DEFAULT_BEHAVIOR,
    NOTHING_LIVE,
    Autoscaler,
    LiveScale,
    Scale,
    live_scale,
    scale,
)
from tests.unit.resolved_samples import a_bench, a_site, an_offer

RANGE = Autoscaler(2, 8, {"cpu": 70}, {})


def of_site(site: dict[str, Any] | None = None, bench: dict[str, Any] | None = None) -> Autoscaler | None:
    """The autoscaler of the web servers of a site."""
    offer = an_offer(componentHPA={"gunicorn": bench} if bench is not None else {})
    return a_site(bench=offer, componentHPA={"gunicorn": site} if site is not None else {}).sizes["gunicorn"].autoscaler


@pytest.mark.parametrize("declared", [None, {}, {"maxReplicas": 5}, {"enabled": False}])
def test_nothing_scales_that_is_not_enabled(declared: dict[str, Any] | None) -> None:
    assert of_site(declared) is None


def test_an_autoscaler_has_defaults_for_everything() -> None:
    assert of_site({"enabled": True}) == Autoscaler(1, 10, {"cpu": 80}, dict(DEFAULT_BEHAVIOR))


def test_the_realtime_server_has_five_replicas_at_most() -> None:
    declared = {"enabled": True, "targetMemoryUtilization": 70}
    size = a_site(componentHPA={"socketio": declared}, componentReplicas={"socketio": 2}).sizes["socketio"]
    assert size.autoscaler == Autoscaler(1, 5, {"memory": 70}, dict(DEFAULT_BEHAVIOR))
    assert (size.replicas, size.least, size.most) == (2, 1, 5)


def test_each_field_comes_from_the_site_otherwise_from_the_bench() -> None:
    bench = {"enabled": True, "minReplicas": 3, "maxReplicas": 12, "targetCPUUtilization": 60}
    found = of_site({"minReplicas": 4, "targetMemoryUtilization": 90}, bench)
    assert found is not None
    assert (found.min_replicas, found.max_replicas, found.targets) == (4, 12, {"cpu": 60, "memory": 90})
    assert of_site({"enabled": False}, bench) is None


def test_a_target_for_memory_alone_measures_memory_alone() -> None:
    found = of_site({"enabled": True, "targetMemoryUtilization": 90})
    assert found is not None
    assert found.targets == {"memory": 90}


def test_a_large_minimum_raises_the_default_of_the_maximum_and_no_declared_one() -> None:
    high, crossed = (
        of_site({"enabled": True, "minReplicas": 25}),
        of_site({"minReplicas": 5}, {"enabled": True, "maxReplicas": 3}),
    )
    assert high is not None
    assert crossed is not None
    assert (high.min_replicas, high.max_replicas) == (25, 25)
    assert (crossed.min_replicas, crossed.max_replicas) == (3, 3)


def test_the_behavior_is_merged_by_direction_and_field() -> None:
    policy = {"type": "Pods", "value": 1, "periodSeconds": 60}
    found = of_site(
        {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}},
        {
            "enabled": True,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 900, "policies": [policy]}, "scaleUp": {}},
        },
    )
    assert found is not None
    assert found.behavior == {
        "scaleUp": DEFAULT_BEHAVIOR["scaleUp"],
        "scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [policy]},
    }


def test_the_proxy_is_scaled_by_the_bench_and_web_servers_are_not_by_its_field() -> None:
    hpa = {"nginx": {"enabled": True, "minReplicas": 2}}
    assert a_bench(componentHPA=hpa).nginx.autoscaler is not None
    assert a_site(bench=an_offer(componentHPA=hpa)).sizes["gunicorn"].autoscaler is None


@pytest.mark.parametrize(("declared", "starts"), [(0, 2), (1, 2), (5, 5), (50, 8)])
def test_a_new_deployment_starts_with_the_declared_number_within_the_range(declared: int, starts: int) -> None:
    assert scale(declared, RANGE, NOTHING_LIVE) == Scale(starts)


@pytest.mark.parametrize(
    ("autoscaler", "live", "stopped", "applied"),
    [
        (None, LiveScale(7), False, Scale(3)),
        (None, LiveScale(7), True, Scale(0)),
        (None, LiveScale(0), False, Scale(3)),
        (RANGE, LiveScale(7), False, Scale(None)),
        (RANGE, LiveScale(7, has_autoscaler=True), False, Scale(None)),
        # Somebody else's autoscaler, or one that is being deleted.
        (None, LiveScale(7, has_autoscaler=True), False, Scale(None)),
        (None, LiveScale(0, has_autoscaler=True), False, Scale(3)),
        (RANGE, LiveScale(7, has_autoscaler=True), True, Scale(0, before=7)),
        (RANGE, LiveScale(0, before=7, has_autoscaler=True), True, Scale(0, before=7)),
        (RANGE, LiveScale(0, before=7, has_autoscaler=True), False, Scale(7)),
        (RANGE, LiveScale(0, before=1, has_autoscaler=True), False, Scale(2)),
        (RANGE, LiveScale(0, has_autoscaler=True), False, Scale(3)),
        (None, LiveScale(0, before=7), False, Scale(3)),
        (RANGE, NOTHING_LIVE, True, Scale(0)),
    ],
)
def test_what_is_applied(autoscaler: Autoscaler | None, live: LiveScale, stopped: bool, applied: Scale) -> None:
    assert scale(3, autoscaler, live, stopped=stopped) == applied


@pytest.mark.parametrize(("written", "read"), [("7", 7), ("", 0), ("-7", 0), ("seven", 0), ("7" * 40, 0)])
def test_the_number_before_is_read_from_the_deployment(written: str, read: int) -> None:
    meta = Meta("pearl-gunicorn", annotations=(BEFORE_ANNOTATION, written))
    assert live_scale(Workload(meta, ReplicaSpec(0)), LiveAutoscaler(meta)) == LiveScale(0, read, has_autoscaler=True)


def test_without_a_deployment_there_is_nothing() -> None:
    assert live_scale(None, None) == NOTHING_LIVE
