"""The status of a bench, except for its conditions."""

from collections.abc import Mapping
from typing import Any

from frappe_operator.bench.observe import Observed
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.bench import Bench
from frappe_operator.model.conditions import BenchCondition


def status(bench: Bench, observed: Observed, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Fields of `status` by their JSON names. None removes a field."""
    facts, last = bench.facts, observed.revisions
    redis = bench.redis.revision if verdicts[BenchCondition.CACHE_READY].ok or not last.redis else last.redis
    mariadb = bench.mariadb.revision if verdicts[BenchCondition.DATABASE_READY].ok or not last.mariadb else last.mariadb
    return {
        "sites": len(observed.sites),
        "image": facts
        and {
            "reference": facts.reference,
            "digest": facts.digest or None,
            "frappeVersion": facts.frappe_version,
            "python": facts.python,
            "apps": facts.apps,
        },
        "installedApps": list(bench.apps),
        # A new revision is reported once the server is available with it. Only then do the pods of the sites restart.
        "secretRevisions": {"redis": redis or None, "mariadb": (bench.mariadb_needed and mariadb) or None},
    }
