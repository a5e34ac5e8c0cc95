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
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.image import refusal
from frappe_operator.model.scaling import live_scale
from frappe_operator.model.settings import Images
from frappe_operator.model.upgrade_policy import upgrade_policy
from frappe_operator.model.waves import wave


def resolve(observed: Observed, images: Images, now: float = 0.0) -> Bench:
    """The resolved bench. `now`: seconds since 1970, for the hours in which sites may upgrade.

    Raises Undecided with the verdict of the first of PREMISES that fails.
    """
    require(PREMISES, observed)
    refused = refusal(observed.found, observed.uses) is not None
    # A site that has not recorded its release would take the new image for the one that its data is of.
    stays = refused or observed.unmarked
    facts = observed.recorded if stays else observed.found or observed.recorded
    releases = {**observed.releases, **({observed.recorded.key: observed.recorded} if observed.recorded else {})}
    # Visitors still have pages of the release before when the last site has left it: it stays until the next one comes.
    switches = observed.recorded is not None and facts is not None and facts.key != observed.recorded.key
    inspected, kept = observed.inspected, [facts, observed.found if refused else None]
    return model.resolve(
        observed.live,
        observed.spec,
        images,
        facts=facts,
        refused=observed.found if refused else None,
        earlier=tuple(
            each
            for key, each in sorted(releases.items())
            if facts is not None and key != facts.key and (key in observed.releases_in_use or not switches)
        ),
        access_mode=observed.access_mode,
        live_mode=observed.live_mode,
        # A server that exists is retained: it may hold data.
        mariadb_needed=observed.mariadb_exists or any(needs_mariadb(site) for site in observed.sites),
        upstreams=observed.upstreams,
        wave=wave(
            upgrade_policy(observed.spec.upgrade),
            observed.candidates,
            observed.turns.upgrading,
            observed.canary_done,
            now,
            observed.turns.removing,
        ),
        secrets=observed.secrets,
        inspected=inspected,
        pending=inspected
        if inspected and inspected.image_key not in [each.image_key for each in kept if each]
        else None,
        orders=observed.orders,
        layers=observed.layers,
        unused_layers=observed.unused_layers,
        live_scale=live_scale(observed.proxy, observed.autoscaler),
    )


async def decide(
    view: View, live: LiveBench, images: Images, token: Callable[[], str]
) -> tuple[list[Stage], list[Failed]]:
    """The stages of a bench and its failed checks, without writing. Raises Undecided when the bench cannot be
    resolved."""
    observed = await observe(view, live, images, HostGrants())
    return stages(resolve(observed, images), observed, token), failed(CHECKS, observed)
