"""WorkloadsReady: the pods of the site, and the removal of asset names which pods of an earlier image have cached."""

from collections.abc import Sequence

from frappe_operator.components import assets
from frappe_operator.kube.kinds import ref_of
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import ALL_READY, jobs_succeeded, with_autoscalers, workloads_available
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site.generated_secrets import is_created
from frappe_operator.site.observe import Observed

AFTER = [SiteCondition.SITE_CREATED, SiteCondition.APPS_INSTALLED]
"""Conditions that the pods of a site wait for: work that is done once and stays done. If they waited for the health of
a server, a Deployment that is deleted while the server is down would not be created again until it is up."""


def pods(site: Site, workloads: Sequence[Manifest], observed: Observed) -> Stage:
    """The stage of the pods, with their autoscalers and disruption budgets.

    While the Service is being made again, the pods stay as they are: without its address they would restart twice.
    """
    if site.own.waits:
        verdict = Verdict(False, Reason.WAITING, "Waiting for SiteCreated")
        if is_created(observed):
            verdict = Verdict(False, Reason.PROVISIONING, f"Service {site.names.gunicorn} has no address yet")
        keeps = [ref_of(each) for each in workloads]
        return Stage(SiteCondition.WORKLOADS_READY, [], lambda _: verdict, after=AFTER, keeps=keeps)
    ready = with_autoscalers(workloads_available, observed.autoscalers.values())
    return Stage(SiteCondition.WORKLOADS_READY, workloads, ready, after=AFTER)


def assets_json_removed(site: Site, observed: Observed) -> list[Stage]:
    """The stage after which pages refer to the assets of the image that runs; empty for the first image of a bench
    without app layers.

    No pod of an earlier image is left that could cache its own names: all have ended before the data was migrated.
    """
    if not (site.facts.previous_key or site.layers):
        return []
    removed, renew = jobs_succeeded(observed.reports), assets.renew(site)

    def ready(live_children: LiveChildren) -> Verdict:
        verdict = removed(live_children)
        return ALL_READY if verdict.ok else verdict

    noted = with_autoscalers(ready, observed.autoscalers.values())
    return [Stage(SiteCondition.WORKLOADS_READY, [], noted, once=renew, after=[*AFTER, SiteCondition.WORKLOADS_READY])]
