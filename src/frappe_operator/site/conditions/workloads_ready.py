"""WorkloadsReady: the stage that removes the asset names which pods of an earlier image have cached."""

from frappe_operator.components import assets
from frappe_operator.kube.readiness import ALL_READY, jobs_succeeded
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed

AFTER = [SiteCondition.SITE_CREATED, SiteCondition.APPS_INSTALLED]
"""Conditions that the pods of a site wait for."""


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

    return [Stage(SiteCondition.WORKLOADS_READY, [], ready, once=renew, after=[*AFTER, SiteCondition.WORKLOADS_READY])]
