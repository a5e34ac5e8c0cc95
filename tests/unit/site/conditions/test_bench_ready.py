"""BenchReady: the conditions of the bench that a site depends on."""

from frappe_operator.kube.live import Condition
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.site.conditions import bench_ready
from frappe_operator.site.conditions.bench_ready import NEEDED_OF_BENCH
from tests.unit.resolved_samples import an_offer
from tests.unit.site.test_premises import PIER, observed

TRUE = {str(name): Condition(name, "True") for name in NEEDED_OF_BENCH}


def test_it_is_true_with_storage_cache_and_proxy_whatever_else_the_bench_lacks() -> None:
    facts = observed(bench=an_offer(), bench_live_or_none=PIER, bench_conditions=TRUE)
    assert bench_ready.ready(facts)([]).ok


def test_it_names_the_first_condition_that_is_not_true() -> None:
    broken = {**TRUE, "CacheReady": Condition("CacheReady", "False", "PodsNotReady", "0 of 1 pods are ready")}
    verdict = bench_ready.ready(observed(bench=an_offer(), bench_live_or_none=PIER, bench_conditions=broken))([])
    assert (verdict.ok, verdict.reason) == (False, FrappeReason.BENCH_NOT_READY)
    assert verdict.message == "FrappeBench pier: CacheReady: 0 of 1 pods are ready"


def test_a_new_bench_has_reported_nothing() -> None:
    verdict = bench_ready.ready(observed(bench=an_offer(), bench_live_or_none=PIER))([])
    assert verdict.message == "FrappeBench pier: StorageReady has not been reported yet"
