"""Configured: a created site has the address, the size of uploads and the database credentials of the resolved state.

The Job that creates a site writes them. A later address or size, or a later revision of the connection Secret, is
written by a Job of its own. A failure blocks no other stage: the site continues to run with its last configuration.
"""

from collections.abc import Callable

from frappe_operator.components import creation
from frappe_operator.components.database import ENGINES
from frappe_operator.kube.kinds import JOB, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import CONFIGURATION_ANNOTATION, Site
from frappe_operator.site.generated_secrets import is_created, lost_admin
from frappe_operator.site.observe import Observed

CONDITION = SiteCondition.CONFIGURED


def stage(site: Site, observed: Observed) -> Stage:
    """The stage of the condition, with a configuration Job if one is needed."""
    once = job(site, observed)
    # Earlier Jobs show that the configuration is not the one that the site was created with.
    replaces = [Ref(JOB, each.metadata.namespace, each.metadata.name) for each in observed.configuring]
    return Stage(CONDITION, [], configured(site, observed), once=once, replaces=replaces)


def job(site: Site, observed: Observed) -> list[Manifest]:
    """The Job that writes address and credentials that the site was not created with; empty when none is needed."""
    if not is_created(observed) or not site.database.revision:
        return []
    assert observed.created is not None
    as_created = observed.created.metadata.annotation(CONFIGURATION_ANNOTATION) == site.configuration
    return [] if as_created and not observed.configuring else creation.configure(site)


def configured(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the site has the resolved address and credentials, and none of its generated Secrets is lost."""

    def ready(live_children: LiveChildren) -> Verdict:
        if not is_created(observed):
            return Verdict(False, Reason.WAITING, "Waiting for SiteCreated")
        if not site.database.revision:
            return Verdict(False, Reason.WAITING, ENGINES[site.database.engine].secret_lost(site))
        secret = site.database.secret
        verdict = jobs_succeeded(observed.reports)(live_children)
        if not verdict.ok and verdict.reason in (Reason.PROVISIONING, Reason.JOB_RUNNING):
            message = f"Configuring the address {site.url} and the credentials of Secret {secret}"
            return Verdict(False, Reason.JOB_RUNNING, message)
        if not verdict.ok:
            return verdict
        ok = Verdict(True, Reason.READY, f"The site has the address {site.url} and the credentials of {secret}.")
        return lost_admin(site, observed) or ok

    return ready
