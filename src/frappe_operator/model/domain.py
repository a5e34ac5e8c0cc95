"""Which host names a site answers on, and whose a host name is."""

from collections.abc import Iterable
from typing import NamedTuple

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.kube.kinds import Key

EXPLICIT, SUFFIX, SITE_NAME = "explicit", "bench-suffix", "sitename-default"


class Domain(NamedTuple):
    """The host names of one site, normalised."""

    host: str
    source: str
    aliases: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """All of them, the main one first."""
        return (self.host, *self.aliases)


class Claim(NamedTuple):
    """A site that wants a host name. The order decides: the older one, then the lesser name, wins."""

    created: str
    key: Key


def normalise(host: str) -> str:
    """One spelling for each host name: lower case, no trailing dot."""
    return host.lower().rstrip(".")


def resolve(spec: FrappeSiteSpec, suffix: str | None) -> Domain:
    """The site's `domain`, else its name with the bench's suffix, else its name."""
    if spec.domain:
        host, source = normalise(spec.domain), EXPLICIT
    elif suffix:
        host, source = normalise(spec.site_name + suffix), SUFFIX
    else:
        host, source = spec.site_name, SITE_NAME
    aliases = dict.fromkeys(normalise(alias) for alias in spec.aliases or [])
    aliases.pop(host, None)
    return Domain(host, source, tuple(aliases))


def candidates(host: str) -> list[str]:
    """Every siteName that some bench's suffix could turn into `host`: what to look up to find its claimants."""
    labels = host.split(".")
    return [".".join(labels[:count]) for count in range(1, len(labels) + 1)]


def winner(claims: Iterable[Claim]) -> Key | None:
    """Whose the host name is."""
    best = min(claims, default=None)
    return best.key if best else None
