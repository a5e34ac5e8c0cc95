"""What is observed of a namespace while plans run against the real API server."""

from typing import Any

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live, Meta, OwnerReference, pairs
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.runtime.cache.store import Change
from tests.faults.cluster_observer import LiveWithStatus, NamespaceView


def a_child(name: str, uid: str, **more: Any) -> Live:
    return Live(Meta(name, uid, "here", **more))


def ready(name: str, generation: int = 1, observed: int = 1, **more: Any) -> LiveWithStatus:
    said = [{"type": "Ready", "status": "True", "observedGeneration": observed}]
    meta = Meta(name, name, "here", resource_version=7, generation=generation, **more)
    return LiveWithStatus(meta, status={"conditions": said})


def sight(*seen: tuple[Kind, Live | None, Live | None]) -> NamespaceView:
    found = NamespaceView()
    for number, each in enumerate(seen):
        found.notice(Change(*each), float(number))
    return found


def test_what_is_made_once_more_is_counted_even_if_its_end_was_never_told() -> None:
    first, second = a_child("acme-create", "1"), a_child("acme-create", "2")
    seen = sight((kinds.JOB, None, first), (kinds.JOB, first, first), (kinds.JOB, first, second))
    assert seen.made == {"Job acme-create": 2}
    assert seen.gone == {"Job acme-create": 1}
    assert seen.changed == 2.0


def test_a_second_pod_of_a_job_is_a_second_run() -> None:
    labels = pairs({JOB_LABEL: "acme-create"})
    pods = [a_child(f"acme-create-{uid}", uid, labels=labels) for uid in ("1", "2")]
    assert sight(*((kinds.POD, None, pod) for pod in pods)).runs == {"acme-create": 2}


def test_whoever_is_ready_for_an_earlier_generation_is_not_at_rest() -> None:
    assert sight((SITE, None, ready("acme"))).settled
    assert not sight((SITE, None, ready("acme", generation=2))).settled


def test_whoever_is_ready_for_a_generation_to_come_lies() -> None:
    assert sight((SITE, None, ready("acme", observed=2))).contradictions
    assert not sight((SITE, None, ready("acme"))).contradictions


def test_what_is_to_go_must_be_gone_but_for_a_bench_with_a_site() -> None:
    going = ready("forge", deletion_timestamp="2026-01-01T00:00:00Z")
    assert not sight((BENCH, None, going)).settled
    assert sight((BENCH, None, going), (SITE, None, ready("acme"))).settled


def test_what_somebody_left_who_is_gone_must_go_as_well() -> None:
    site = ready("acme")
    child = a_child("acme", "1", owner_references=(OwnerReference("FrappeSite", "acme", "acme"),))
    assert sight((SITE, None, site), (kinds.SERVICE, None, child)).settled
    assert not sight((SITE, None, site), (kinds.SERVICE, None, child), (SITE, site, None)).settled


def test_a_version_that_was_not_seen_yet_is_not_known() -> None:
    seen = sight((SITE, None, ready("acme")))
    assert seen.knows({"acme": 7})
    assert not seen.knows({"acme": 8})
    assert not seen.knows({})
