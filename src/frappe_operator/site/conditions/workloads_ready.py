"""WorkloadsReady: beside the pods, the names of assets that earlier pods wrote down are removed."""

from frappe_operator.components import assets
from frappe_operator.kube.readiness import ALL_READY, jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Lives, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed

AFTER = [SiteCondition.SITE_CREATED, SiteCondition.APPS_INSTALLED]
"""The conditions that pods come after."""


def assets_json_removed(site: Site, observed: Observed) -> list[Stage]:
    """Pages name the assets of the image that runs.

    The names are removed when the new pods serve, and once more when the last pod of an earlier image has ended, which
    may have written down its own meanwhile: a worker may take half an hour to finish the job it is at.
    """
    if not site.facts.previous_key:
        return []
    removed = jobs_succeeded(observed.reports)
    was_ready = any(
        each.type == SiteCondition.WORKLOADS_READY and each.status == "True" for each in observed.last_status.conditions
    )

    def ready(lives: Lives) -> Verdict:
        verdict = removed(lives)
        # The second time comes long after visitors were served: merely being under way, it makes nothing false.
        under_way = verdict.reason in (Reason.PROVISIONING, Reason.JOB_RUNNING)
        return ALL_READY if verdict.ok or (under_way and was_ready) else verdict

    renew = assets.renew(site, last=not observed.earlier_pods)
    return [Stage(SiteCondition.WORKLOADS_READY, [], ready, once=renew, after=[*AFTER, SiteCondition.WORKLOADS_READY])]
