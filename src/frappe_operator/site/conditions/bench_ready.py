"""BenchReady: the bench provides what the site needs."""

from collections.abc import Callable

from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.conditions import BenchCondition
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.site.observe import Observed

NEEDED_OF_BENCH = (BenchCondition.STORAGE_READY, BenchCondition.CACHE_READY, BenchCondition.PROXY_READY)
"""Conditions of the bench that a site depends on."""


def ready(observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the conditions of NEEDED_OF_BENCH are true on the bench."""

    def verdict(_: LiveChildren) -> Verdict:
        name = observed.bench.name
        for condition in NEEDED_OF_BENCH:
            found = observed.bench_conditions.get(condition)
            if found is None or found.status != "True":
                why = f"{condition}: {found.message}" if found else f"{condition} has not been reported yet"
                return Verdict(False, FrappeReason.BENCH_NOT_READY, f"FrappeBench {name}: {why}")
        return Verdict(True, Reason.READY, f"FrappeBench {name} provides what the site needs.")

    return verdict
