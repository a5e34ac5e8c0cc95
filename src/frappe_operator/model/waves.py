"""Which sites of a bench upgrade or remove apps now: a pure function of the policy and of what every site runs."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from frappe_operator.model.upgrade_policy import UpgradePolicy


class Candidate(NamedTuple):
    """A site that does not run the image of its bench, or whose turn has not ended yet."""

    name: str
    created: str
    """Creation time of the FrappeSite."""
    upgraded: bool = False
    """Whether its data is migrated: it only starts."""
    failed: bool = False
    """Whether its upgrade to this image failed, and nothing has changed since."""
    turn_ended: bool = False
    """Whether it has ended its turn: it serves with the new image, or after a failure with the one before."""
    allowed: bool = True
    """Whether its spec.release, together with the strategy, lets it upgrade to this image."""
    removes: bool = False
    """Whether it has apps to remove, or its turn to do so has not ended."""


class Wave(NamedTuple):
    """The sites whose turn it is, and those that follow."""

    upgrading: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    """Sites that follow, in this order."""
    failed: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    """Sites that stay with their image until their spec.release names the one of the bench."""
    held: str = ""
    """Why no further site is begun, for a message; empty while sites are begun."""
    stopped: bool = False
    """Whether somebody must act before a further site is begun."""
    removing: tuple[str, ...] = ()
    """The sites whose turn it is to remove apps."""
    requeue_after: float | None = None
    """Seconds after which a further site may be begun; None when an event triggers that."""


def wave(
    policy: UpgradePolicy,
    candidates: Sequence[Candidate],
    turns: Collection[str],
    canary_done: float,
    now: float,
    removals: Collection[str] = (),
) -> Wave:
    """The sites whose turn it is. `turns`, `removals`: those whose turn it was to upgrade and to remove apps in the
    last status. `canary_done`: when the last canary ended its turn, in seconds since 1970; 0 when it is not known.
    `now` likewise.

    Somebody has asked for a removal on that very site: only `maxConcurrent` holds it up, and it goes first.
    """
    order = {name: number for number, name in enumerate(policy.canary)}
    ordered = sorted(candidates, key=lambda each: (order.get(each.name, len(order)), each.created, each.name))
    upgrading = [each.name for each in ordered if each.name in turns and not each.turn_ended]
    failed = [each.name for each in ordered if each.failed]
    asked = [each.name for each in ordered if each.removes and each.name not in upgrading]
    removing = [name for name in asked if name in removals]
    next_removals = [name for name in asked if name not in removing]
    removing += next_removals[: max(0, max(1, policy.max_concurrent) - len(upgrading) - len(removing))]
    pending = [each for each in ordered if not (each.name in upgrading or each.failed or each.upgraded)]
    waiting = [each.name for each in pending if each.allowed]
    found = Wave(
        tuple(upgrading),
        tuple(waiting),
        tuple(failed),
        tuple(each.name for each in pending if not each.allowed),
        removing=tuple(removing),
    )
    if not waiting:
        return found
    if len(failed) > policy.max_failures:
        return found._replace(held=_too_many(failed, policy), stopped=True)
    if broken := [name for name in failed if name in order]:
        return found._replace(held=f"The upgrade of canary {broken[0]} failed", stopped=True)
    if policy.window and (wait := policy.window.opens(now)):
        window = f"{policy.window.start} to {policy.window.end} ({policy.window.zone})"
        return found._replace(held=f"The window for upgrades is closed: it opens from {window}", requeue_after=wait)
    canaries = [name for name in (*upgrading, *waiting) if name in order]
    eligible = [name for name in waiting if name not in asked and (name in order or not canaries)]
    if not eligible and canaries:
        return found._replace(held=f"The other sites follow when canary {canaries[0]} has been upgraded")
    if not canaries and order and policy.pause and (wait := canary_done + policy.pause - now) > 0:
        return found._replace(held="The other sites wait after the canary, by pauseAfterCanary", requeue_after=wait)
    begun = eligible[: max(0, policy.max_concurrent - len(upgrading) - len(removing))]
    return found._replace(upgrading=(*upgrading, *begun), waiting=tuple(name for name in waiting if name not in begun))


def _too_many(failed: Sequence[str], policy: UpgradePolicy) -> str:
    return f"The upgrade of {len(failed)} sites failed, and maxFailures is {policy.max_failures}"
