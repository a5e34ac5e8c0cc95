"""Which apps are installed on a site, from what its installation reported."""

import msgspec

from frappe_operator.components import creation
from frappe_operator.kube.kinds import POD
from frappe_operator.kube.live import PodStatus
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.kube.stage import Verdict
from frappe_operator.model import job_reports
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.site.observe import Observed

INSTALLED = SiteCondition.APPS_INSTALLED


async def installed_apps(cluster: Cluster, site: Site, observed: Observed, installed: Verdict) -> list[str] | None:
    """The apps on the site, None while nothing new is known of them. Read once, when the condition turns true.

    An app that spec.apps names no more stays installed: what counts is the report, and where the pod that made it is
    gone, what the last status said together with what was asked for.
    """
    known = observed.last_status.installed_apps
    before = any(each.type == INSTALLED and each.status == "True" for each in observed.last_status.conditions)
    if not installed.ok or (before and known is not None):
        return None
    (job,) = creation.install(site)
    for pod in await cluster.list(POD, site.owner.namespace, f"{JOB_LABEL}={job['metadata']['name']}"):
        said = job_reports.message(msgspec.convert(pod.get("status", {}), PodStatus))
        if said is not None and said.ok and said.apps:
            return list(said.apps)
    return list(dict.fromkeys([*(known or ()), *site.apps]))
