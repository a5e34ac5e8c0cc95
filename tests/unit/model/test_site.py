"""Resolving the spec of a site."""

import re

import pytest

from frappe_operator.api.kinds import SITE
from frappe_operator.model.site import bench_id, bench_namespace_problem, parse
from tests.unit.resolved_samples import a_site, an_offer, live


def test_a_site_lives_beside_its_bench() -> None:
    assert a_site(benchRef={"name": "pier", "namespace": "harbour"}).owner.bench == "pier"
    spec = parse(live("pearl", {"benchRef": {"name": "pier", "namespace": "away"}, "siteName": "p"}, kind=SITE))
    assert bench_namespace_problem(spec, "harbour").startswith(
        "benchRef.namespace is away, but a site and its bench must be in the same namespace"
    )
    assert bench_namespace_problem(spec, "away") == ""


def test_apps_are_the_benchs_unless_the_site_names_its_own() -> None:
    bench = an_offer(appsJSON='["erpnext", "hrms"]')
    assert a_site(bench=bench).apps == ("frappe", "erpnext", "hrms")
    assert a_site(bench=bench, apps=["hrms"]).apps == ("frappe", "hrms")
    assert a_site(bench=bench, apps=[]).apps == ("frappe",)
    assert a_site(bench=bench, apps=["crm", "hrms"]).apps == ("frappe", "hrms"), "the image has no crm"


def test_the_scheduler_is_one_and_other_counts_are_the_sites_else_the_benchs_else_one() -> None:
    bench = an_offer(componentReplicas={"gunicorn": 3, "workerLong": 2})
    sizes = a_site(bench=bench, componentReplicas={"gunicorn": 5, "workerShort": 0}).sizes
    assert {name: size.replicas for name, size in sizes.items()} == {
        "gunicorn": 5,
        "socketio": 1,
        "scheduler": 1,
        "worker_default": 1,
        "worker_long": 2,
        "worker_short": 0,
    }


def test_each_creation_of_a_site_has_queues_of_its_own() -> None:
    one, two = (bench_id("pearl", uid, None) for uid in ("a", "b"))
    assert one != two
    assert re.fullmatch("pearl-[0-9a-f]{8}", one)
    assert bench_id("pearl", "b", one) == one, "a retained claim says which"
    assert bench_id("pearl", "b", "") == "pearl", "an earlier operator's says nothing"


@pytest.mark.parametrize("planted", ["reef", "reef-0123abcd", "pearl-0123abcg", "pearl-x-0123abcd", "pearl0123abcd"])
def test_a_claim_cannot_name_the_queues_of_another_site(planted: str) -> None:
    assert bench_id("pearl", "a", planted) == bench_id("pearl", "a", None)


def test_the_queue_name_of_a_site_with_a_long_name_is_stable() -> None:
    name = "p" * 60
    recorded = bench_id(name, "a", None)
    assert len(recorded) <= 63
    assert bench_id(name, "b", recorded) == recorded
    assert bench_id("p" * 59, "b", recorded) != recorded
