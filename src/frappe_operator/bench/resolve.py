"""Resolves a bench: from observed state to desired state."""

from collections.abc import Callable

from frappe_operator.api.kinds import LiveBench
from frappe_operator.bench.checks import CHECKS, PREMISES
from frappe_operator.bench.observe import Observed, observe
from frappe_operator.bench.stages import stages
from frappe_operator.kube.stage import Failed, Stage, failed, require
from frappe_operator.kube.view import View
from frappe_operator.model import bench as model
from frappe_operator.model.bench import Bench
from frappe_operator.model.database import needs_mariadb
from frappe_operator.model.image import refusal
from frappe_operator.model.settings import Images


def resolve(observed: Observed, images: Images) -> Bench:
    """The resolved bench. Raises Undecided with the verdict of the first of PREMISES that fails."""
    require(PREMISES, observed)
    refused = refusal(observed.recorded, observed.found, observed.used) is not None
    return model.resolve(
        observed.live,
        observed.spec,
        images,
        facts=observed.recorded if refused else observed.found or observed.recorded,
        refused=observed.found if refused else None,
        access_mode=observed.access_mode,
        live_mode=observed.live_mode,
        # A server that exists is retained: it may hold data.
        mariadb_needed=observed.mariadb_exists or any(needs_mariadb(site) for site in observed.sites),
        upstreams=observed.upstreams,
        secrets=observed.secrets,
    )


async def decide(
    view: View, live: LiveBench, images: Images, token: Callable[[], str]
) -> tuple[list[Stage], list[Failed]]:
    """The stages of a bench and its failed checks, without writing. Raises Undecided when the bench cannot be
    resolved."""
    observed = await observe(view, live, images)
    return stages(resolve(observed, images), observed, token), failed(CHECKS, observed)
