"""The apps that are installed on a site, from the reports of the Jobs that install and remove them."""

from frappe_operator.kube.stage import Verdict
from frappe_operator.model import job_reports
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.site.observe import Observed

INSTALLED = SiteCondition.APPS_INSTALLED


async def installed_apps(cluster: Cluster, site: Site, observed: Observed, installed: Verdict) -> list[str] | None:
    """The apps on the site; None to leave the status as it is.

    They are read once, when the condition becomes true: an app that is taken from spec.apps stays installed, so the
    report of the Job decides. Apps that were removed since are those in the report of that removal; when it is gone,
    the claim records that it was done.
    """
    read, removal, outcome = (
        await _read(cluster, site, observed, installed),
        observed.upgrade.removal,
        observed.upgrade.outcome,
    )
    apps = observed.last_status.installed_apps or [] if read is None else read
    left = removal.among(apps)
    removed = outcome.removed if outcome else left.apps if left.is_done(site.mark.removed) else ()
    return [app for app in apps if app not in removed] if read is not None or removed else None


async def _read(cluster: Cluster, site: Site, observed: Observed, installed: Verdict) -> list[str] | None:
    """The apps in the report of the Job that installed them, or created the site with them, when the condition becomes
    true; otherwise None. When the pod with the report no longer exists, the result is the apps of the last status
    together with those of the spec."""
    recorded = observed.last_status.installed_apps
    before = any(each.type == INSTALLED and each.status == "True" for each in observed.last_status.conditions)
    if not installed.ok or (before and recorded is not None):
        return None
    job = site.names.create if site.created_with_apps else site.names.apps(site.apps)
    for report, _ in await job_reports.of_completed(cluster, site.owner.namespace, job):
        if report.apps:
            return list(report.apps)
    return list(dict.fromkeys([*(recorded or ()), *site.apps]))
