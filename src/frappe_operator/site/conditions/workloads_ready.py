"""WorkloadsReady: the stage that removes the asset names which pods of an earlier image have cached."""

from frappe_operator.components import assets
from frappe_operator.kube.readiness import ALL_READY, jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed

AFTER = [SiteCondition.SITE_CREATED, SiteCondition.APPS_INSTALLED]
"""Conditions that the pods of a site wait for."""


def assets_json_removed(site: Site, observed: Observed) -> list[Stage]:
    """The stage after which pages refer to the assets of the image that runs; empty for the first image of a bench.

    Cached asset names are removed when the new pods are ready, and once more when the last pod of an earlier image has
    ended: until then such a pod may cache its own names, and a worker may take half an hour to finish its job.
    """
    if not site.facts.previous_key:
        return []
    removed = jobs_succeeded(observed.reports)
    was_ready = any(
        each.type == SiteCondition.WORKLOADS_READY and each.status == "True" for each in observed.last_status.conditions
    )

    def ready(live_children: LiveChildren) -> Verdict:
        verdict = removed(live_children)
        # The second removal comes long after the rollout: while it is in progress, the condition stays true.
        in_progress = verdict.reason in (Reason.PROVISIONING, Reason.JOB_RUNNING)
        return ALL_READY if verdict.ok or (in_progress and was_ready) else verdict

    renew = assets.renew(site, last=not observed.earlier_pods)
    return [Stage(SiteCondition.WORKLOADS_READY, [], ready, once=renew, after=[*AFTER, SiteCondition.WORKLOADS_READY])]
