"""Host names of sites, and which site owns a host name."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite, readable_spec
from frappe_operator.kube.objects import Key
from frappe_operator.kube.view import View
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain_defaults
from frappe_operator.model.domain_defaults import NO_DEFAULTS, DomainDefaults

EXPLICIT, SUFFIX, DETECTED, SITE_NAME = "explicit", "bench-suffix", "auto-detected", "sitename-default"


class Domain(NamedTuple):
    """The normalised host names of one site."""

    host: str
    source: str
    """How `host` was chosen: EXPLICIT, SUFFIX, DETECTED or SITE_NAME."""
    aliases: tuple[str, ...] = ()
    """Further hosts at which the site is served."""
    redirects: tuple[str, ...] = ()
    """Hosts from which visitors are redirected to `host`."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """All host names, the main one first."""
        return (self.host, *self.aliases, *self.redirects)


class HostClaim(NamedTuple):
    """The claim of a site to a host name. The least claim wins: the oldest, then the first by namespace and name."""

    created: str
    key: Key


def normalise(host: str) -> str:
    """The canonical spelling of a host name: lower case, without a trailing dot."""
    return host.lower().rstrip(".")


def resolve(spec: FrappeSiteSpec, defaults: DomainDefaults) -> Domain:
    """The host names of a site. The main one is `domain` if set, otherwise what its bench gives to its sites, otherwise
    `siteName`."""
    if spec.domain:
        host, source = normalise(spec.domain), EXPLICIT
    elif defaults.suffix:
        host, source = normalise(spec.site_name + defaults.suffix), SUFFIX
    elif defaults.detected_suffix:
        host, source = normalise(spec.site_name + defaults.detected_suffix), DETECTED
    elif defaults.detected_host:
        host, source = defaults.detected_host, DETECTED
    else:
        host, source = spec.site_name, SITE_NAME
    aliases = _others(spec.aliases, {host})
    return Domain(host, source, aliases, _others(spec.redirects, {host, *aliases}))


def _others(declared: list[str] | None, without: set[str]) -> tuple[str, ...]:
    """Normalised host names without duplicates."""
    hosts = dict.fromkeys(normalise(host) for host in declared or [])
    return tuple(host for host in hosts if host not in without)


# What ends in a number is an address to a browser, however it is written.
_ADDRESS = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
MAX_HOST_LENGTH = 253


MADE_BY = {
    EXPLICIT: "domain",
    SUFFIX: "siteName with the bench's suffix",
    DETECTED: "domainConfig.autoDetect of the bench",
    SITE_NAME: "siteName",
}


def host_problem(domain: Domain) -> str:
    """A message about a host that no Ingress accepts or no browser resolves; empty when the host is valid."""
    host, origin = domain.host, f"{MADE_BY[domain.source]} gives"
    if _ADDRESS.fullmatch(host):
        return f"{origin} {host}, which is an address: set domain to a host name, such as shop.example.com"
    if len(host) > MAX_HOST_LENGTH:
        too_long = f"a host name of {len(host)} characters; the maximum is {MAX_HOST_LENGTH}"
        return f"{origin} {too_long}: set domain to a shorter one"
    return ""


BENCH_INDEX, HOST_INDEX, NAME_INDEX = "bench", "host", "site-name"
"""Indices over all FrappeSites: by bench, by the hosts in the spec, and by `siteName` for a spec without `domain`."""
DETECTS_INDEX = "detects"
"""Index over all FrappeBenches: those whose sites a load balancer names, all under DETECTS. The address is in the
status, which no index follows."""
DETECTS = "a load balancer"


def by_bench(live: LiveSite) -> list[str]:
    """Index value: the bench of the site as `namespace/name`."""
    spec = readable_spec(live)
    return [f"{live.metadata.namespace}/{spec.bench_ref.name}"] if spec else []


def by_host(live: LiveSite) -> list[str]:
    """Index values: the normalised `domain`, `aliases` and `redirects`."""
    spec = readable_spec(live)
    if spec is None:
        return []
    return [normalise(host) for host in [spec.domain, *(spec.aliases or []), *(spec.redirects or [])] if host]


def by_site_name(live: LiveSite) -> list[str]:
    """Index value: `siteName`, for a site whose spec has no `domain`."""
    spec = readable_spec(live)
    return [spec.site_name] if spec and not spec.domain else []


def by_detection(live: LiveBench) -> list[str]:
    """Index value: DETECTS for a bench whose sites a load balancer names."""
    spec = readable_spec(live)
    service = domain_defaults.service(spec.domain_config, live.metadata.namespace) if spec else None
    return [DETECTS] if service else []


BENCH_INDICES: dict[str, Callable[[LiveBench], list[str]]] = {DETECTS_INDEX: by_detection}
INDICES: dict[str, Callable[[LiveSite], list[str]]] = {
    BENCH_INDEX: by_bench,
    HOST_INDEX: by_host,
    NAME_INDEX: by_site_name,
}


class HostClaims(NamedTuple):
    """The claims of all sites in all namespaces to host names. Lookups use indices and do not read all sites."""

    cache: View

    def domain(self, live: LiveSite) -> Domain | None:
        """The host names of a site; None when its spec does not match the schema."""
        spec = readable_spec(live)
        if spec is None:
            return None
        bench = self.cache.get(BENCH, live.metadata.namespace, spec.bench_ref.name)
        return resolve(spec, bench_model.domain_defaults(bench) if bench else NO_DEFAULTS)

    def claimants(self, host: str) -> list[LiveSite]:
        """Every site that claims `host`."""
        # A host may be some siteName with some bench's suffix: each way to cut it is one look-up.
        labels = host.split(".")
        names = [".".join(labels[:count]) for count in range(1, len(labels) + 1)]
        found = [*self.cache.select(SITE, HOST_INDEX, host)]
        for name in names:
            found += self.cache.select(SITE, NAME_INDEX, name)
        for bench in self.cache.select(BENCH, DETECTS_INDEX, DETECTS):
            if bench_model.domain_defaults(bench).detected_host == host:
                found += self.cache.select(SITE, BENCH_INDEX, str(bench.metadata.key))
        unique = {live.metadata.uid: live for live in found}
        return [live for live in unique.values() if (domain := self.domain(live)) and host in domain.hosts]

    def rivals(self, live: LiveSite) -> list[LiveSite]:
        """Every site that claims a host of this site, including the site itself."""
        domain = self.domain(live)
        return [other for host in domain.hosts for other in self.claimants(host)] if domain else []

    def rivals_of(self, bench: LiveBench) -> list[LiveSite]:
        """Every site that claims a host which a site of the bench has by the domain defaults in `bench`. `bench`: the
        present object, or an earlier version of it."""
        defaults = bench_model.domain_defaults(bench)
        sites = self.cache.select(SITE, BENCH_INDEX, str(bench.metadata.key))
        specs = [spec for spec in map(readable_spec, sites) if spec and not spec.domain]
        hosts = dict.fromkeys(resolve(spec, defaults).host for spec in specs)
        # Those that had the host name of a load balancer have another one now.
        lost = [site for site in sites if defaults.detected_host]
        return [*lost, *(other for host in hosts for other in self.claimants(host))]

    def holder(self, host: str) -> Key | None:
        """The site that owns `host`; None when no site claims it."""
        return winner(
            HostClaim(live.metadata.creation_timestamp, Key(live.metadata.namespace, live.metadata.name))
            for live in self.claimants(host)
        )


def winner(claims: Iterable[HostClaim]) -> Key | None:
    """The site with the winning claim to a host name; None without claims."""
    best = min(claims, default=None)
    return best.key if best else None
