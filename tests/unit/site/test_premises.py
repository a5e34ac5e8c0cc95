"""The premises of a site: the first one that fails ends the reconcile."""

from typing import Any

import pytest

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Undecided, require
from frappe_operator.model.bench import BenchOffer
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.site.checks import PREMISES
from frappe_operator.site.observe import LastStatus, Observed
from tests.unit.resolved_samples import an_offer, live

SPEC = {"benchRef": {"name": "pier"}, "siteName": "pearl.example.net"}
PIER = live("pier", {"frappeVersion": "version-15"}, kind=BENCH)


def observed(spec: dict[str, Any] = SPEC, bench: BenchOffer | None = None, **facts: Any) -> Observed:
    site = live("pearl", spec, kind=SITE)
    return Observed(site, LastStatus(), site.decode(), bench_or_none=bench, **facts)


@pytest.mark.parametrize(
    ("facts", "reason", "blocked", "says"),
    [
        (
            Observed(live("pearl", {}, kind=SITE), LastStatus(), None, spec_error="no benchRef"),
            *(Reason.INVALID_SPEC, True, "spec: no benchRef"),
        ),
        (observed(), FrappeReason.BENCH_NOT_FOUND, True, "FrappeBench pier does not exist"),
        (
            observed({**SPEC, "benchRef": {"name": "pier", "namespace": "elsewhere"}}),
            *(Reason.INVALID_SPEC, True, "benchRef.namespace is elsewhere"),
        ),
        (
            observed(bench_live_or_none=PIER, bench_error="no frappeVersion"),
            *(Reason.INVALID_SPEC, True, "FrappeBench pier: spec: no frappeVersion"),
        ),
        (
            observed(bench=an_offer(facts=None), bench_live_or_none=PIER),
            *(FrappeReason.BENCH_NOT_READY, False, "FrappeBench pier has not inspected its image yet"),
        ),
    ],
)
def test_the_first_missing_fact_is_named(facts: Observed, reason: str, blocked: bool, says: str) -> None:
    with pytest.raises(Undecided, match=says) as stopped:
        require(PREMISES, facts)
    assert (stopped.value.verdict.reason, stopped.value.verdict.blocked) == (reason, blocked)


def test_a_site_whose_bench_has_an_inspected_image_can_be_decided() -> None:
    require(PREMISES, observed(bench=an_offer(), bench_live_or_none=PIER))
