"""Resolves a site: from observed state to desired state."""

from collections.abc import Callable

from frappe_operator.api.kinds import LiveSite
from frappe_operator.components.storage import QUEUES_LABEL
from frappe_operator.kube.stage import Failed, Stage, failed, require
from frappe_operator.kube.view import View
from frappe_operator.model import site as model
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.image import Facts
from frappe_operator.model.settings import Images
from frappe_operator.model.site import Site
from frappe_operator.model.upgrade import RETRY_ANNOTATION, Plan, plan, plan_before_creation
from frappe_operator.site.checks import CHECKS, PREMISES, ROUTE_CHECKS
from frappe_operator.site.generated_secrets import is_created
from frappe_operator.site.observe import Observed, observe
from frappe_operator.site.stages import stages


def resolve(observed: Observed) -> Site:
    """The resolved site. Raises Undecided with the verdict of the first of PREMISES that fails."""
    require(PREMISES, observed)
    assert observed.facts is not None
    assert observed.bench.target is not None
    return model.resolve(
        observed.live,
        observed.spec,
        observed.bench,
        domain=observed.domain,
        retained_database=observed.retained_database,
        origin=observed.claim.metadata.label(model.ORIGIN_LABEL) if observed.claim else "",
        revision=str(observed.connection_secret.metadata.resource_version) if observed.connection_secret else "",
        recorded_bench_id=observed.claim.metadata.label(QUEUES_LABEL) if observed.claim else None,
        live_mode=observed.claim.access_mode if observed.claim else "",
        connection=observed.connection,
        recorded_database=observed.last_status.database_name,
        server_kind=observed.server_kind,
        server_revision=observed.server_revision,
        plan=_plan(observed, observed.facts, observed.bench.target),
        live_scales=observed.live_scales,
        taken_hosts=observed.conflicting_hosts,
        service_ip=observed.service_ip,
        authority=observed.tls.certificate.authority if observed.tls.certificate else "",
        created_with_apps=observed.created_with_apps,
        listener_port=observed.tls.listener_port,
    )


def _plan(observed: Observed, facts: Facts, target: Facts) -> Plan:
    """The release that the site runs, and its upgrade; a site that is not created yet has none."""
    if not is_created(observed):
        return plan_before_creation(observed.upgrade.mark, facts)
    upgrade = observed.upgrade
    return plan(
        upgrade.mark,
        facts,
        target,
        observed.bench.releases,
        retry=observed.live.metadata.annotation(RETRY_ANNOTATION),
        outcome=upgrade.outcome,
        progress=upgrade.progress,
        removal=upgrade.removal,
    )


async def decide(
    view: View, live: LiveSite, images: Images, token: Callable[[], str]
) -> tuple[list[Stage], list[Failed]]:
    """The stages of a site and its failed checks, without writing. Raises Undecided when the site cannot be
    resolved."""
    observed = await observe(view, live, images, HostGrants())
    return stages(resolve(observed), observed, token), failed((*CHECKS, *ROUTE_CHECKS), observed)
