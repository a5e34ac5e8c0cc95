"""The status of a site, except for its conditions."""

from collections.abc import Mapping
from typing import Any

from frappe_operator.kube.stage import Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site


def status(site: Site, verdicts: Mapping[str, Verdict], installed: list[str] | None) -> dict[str, Any]:
    """Fields of `status` by their JSON names. `installed`: the apps on the site, None to keep those of the last
    status."""
    return {
        "siteURL": site.url,
        "resolvedDomain": site.domain.host,
        "domainSource": site.domain.source,
        "benchReady": verdicts[SiteCondition.BENCH_READY].ok,
        "databaseReady": verdicts[SiteCondition.DATABASE_READY].ok,
        "databaseName": site.database.name,
        "dbConnectionSecret": site.database.secret,
        "adminSecret": site.names.admin,
        "frappeVersion": site.facts.frappe_version,
        **({"installedApps": installed} if installed is not None else {}),
    }
