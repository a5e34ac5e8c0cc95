"""When the stages of a site begin."""

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.live import Job, JobCondition, JobStatus, Meta
from frappe_operator.kube.stage import Verdict
from frappe_operator.model import domain
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.site.observe import LastStatus, Observed
from frappe_operator.site.stages import stages
from tests.unit.resolved_samples import FACTS, NAMESPACE, a_site, an_offer, live


def database_verdict(revision: str) -> Verdict:
    written = live("pearl", {"benchRef": {"name": "pier"}, "siteName": "pearl.example.net"}, kind=SITE)
    spec, bench = written.decode(), an_offer()
    site = a_site(revision=revision)
    observed = Observed(
        written,
        LastStatus(),
        spec,
        bench_live_or_none=live("pier", {"frappeVersion": "version-15"}, kind=BENCH),
        bench_or_none=bench,
        facts=FACTS,
        domain_or_none=domain.resolve(spec, bench.domains),
    )
    rows = [row for row in stages(site, observed, lambda: "token") if row.condition == SiteCondition.DATABASE_READY]
    done = JobStatus((JobCondition("Complete", "True", "2026-11-28T00:00:00Z"),))
    return rows[-1].ready([Job(Meta(name="pearl-database", namespace=NAMESPACE), done)])


def test_no_job_works_with_a_connection_whose_secret_has_not_been_seen_yet() -> None:
    assert not database_verdict("").ok
    assert database_verdict("12").ok
