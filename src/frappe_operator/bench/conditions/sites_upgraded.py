"""SitesUpgraded: all sites of the bench run its image. The bench is ready with or without it."""

from frappe_operator.bench.observe import Observed
from frappe_operator.kube.listing import abbreviated
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.bench import Bench
from frappe_operator.model.reasons import FrappeReason

NAMED = 5
"""How many sites a message names."""


def verdict(bench: Bench, observed: Observed) -> Verdict:
    """Whether all sites run the image of new sites, and which are on their way to it."""
    if bench.facts is None:
        return Verdict(False, Reason.WAITING, "Waiting for ImageReady", advisory=True)
    if observed.unmarked:
        message = "The sites record the release of their data before the new image is used"
        return Verdict(False, Reason.WAITING, message, advisory=True)
    image, wave = bench.facts.title, bench.wave
    if not (wave.upgrading or wave.waiting or wave.failed or wave.stays):
        return Verdict(True, Reason.READY, f"All sites run {image}.")
    parts = [
        ("are being upgraded", wave.upgrading),
        ("follow", wave.waiting),
        ("failed to upgrade", wave.failed),
        ("stay by spec.release or strategy Manual", wave.stays),
    ]
    summary = "; ".join(f"{abbreviated(sites, NAMED)} {what}" for what, sites in parts if sites)
    message = f"Upgrade to {image}: {summary}" + (f". {wave.held}" if wave.held else "")
    if wave.stopped:
        advice = (
            ": no further site is begun. See the condition Upgraded of the failed sites; another image, or a new value "
            "of their annotation vyogo.tech/retry-upgrade, has them tried again"
        )
        return Verdict(False, FrappeReason.UPGRADES_STOPPED, message + advice, blocked=True, advisory=True)
    if wave.upgrading or wave.waiting:
        return Verdict(False, FrappeReason.UPGRADING, message, advisory=True)
    return Verdict(False, FrappeReason.UPGRADE_PENDING, message, blocked=bool(wave.failed), advisory=True)
