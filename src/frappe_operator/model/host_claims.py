"""Which site owns a host name, in the whole cluster.

A site claims every host of its own. Two claims exclude each other when they are for one host, or one is for a wildcard
host and the other for a host inside it. A site owns a host when no claim of another site that excludes its own comes
before it. Claims that lose count as well: otherwise a site that is served would lose a host because a third one is
deleted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite, readable_spec
from frappe_operator.kube.objects import Key
from frappe_operator.kube.view import View
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain_defaults
from frappe_operator.model.domain import Domain, resolve
from frappe_operator.model.domain_defaults import NO_DEFAULTS, DomainDefaults
from frappe_operator.model.host import is_wildcard, normalise, overlap, parent, wildcard_of


class HostClaim(NamedTuple):
    """The claim of a site to a host name. The least claim wins: the oldest, then the first by namespace and name."""

    created: str
    key: Key
    host: str


BENCH_INDEX, HOST_INDEX, NAME_INDEX = "bench", "host", "site-name"
"""Indices over all FrappeSites: by bench, by the hosts in the spec, and by `siteName` for a spec without `domain`."""
PARENT_INDEX, NAME_PARENT_INDEX = "host-parent", "site-name-parent"
"""Indices over all FrappeSites, for wildcard hosts: by the domains that the hosts in the spec are one label below, and
that `siteName` is, for a spec without `domain`."""
DETECTS_INDEX, SUFFIX_INDEX = "detects", "suffix"
"""Indices over all FrappeBenches: those whose sites a load balancer names, all under DETECTS, since the address is in
the status, which no index follows; and by the suffix of the sites."""
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


def by_parent(live: LiveSite) -> list[str]:
    """Index values: the domains that `domain`, `aliases` and `redirects` are one label below."""
    return [parent(host) for host in by_host(live) if not is_wildcard(host)]


def by_site_name(live: LiveSite) -> list[str]:
    """Index value: `siteName`, for a site whose spec has no `domain`."""
    spec = readable_spec(live)
    return [spec.site_name] if spec and not spec.domain else []


def by_site_name_parent(live: LiveSite) -> list[str]:
    """Index value: the domain that `siteName` is one label below, for a site whose spec has no `domain`. None for a
    siteName of one label: such sites are found by the suffix of their bench."""
    return [parent(name) for name in by_site_name(live) if parent(name)]


def by_detection(live: LiveBench) -> list[str]:
    """Index value: DETECTS for a bench whose sites a load balancer names."""
    spec = readable_spec(live)
    service = domain_defaults.service(spec.domain_config, live.metadata.namespace) if spec else None
    return [DETECTS] if service else []


def by_suffix(live: LiveBench) -> list[str]:
    """Index value: the suffix that a bench gives to its sites."""
    spec = readable_spec(live)
    return [spec.domain_config.suffix] if spec and spec.domain_config and spec.domain_config.suffix else []


BENCH_INDICES: dict[str, Callable[[LiveBench], list[str]]] = {DETECTS_INDEX: by_detection, SUFFIX_INDEX: by_suffix}
INDICES: dict[str, Callable[[LiveSite], list[str]]] = {
    BENCH_INDEX: by_bench,
    HOST_INDEX: by_host,
    NAME_INDEX: by_site_name,
    PARENT_INDEX: by_parent,
    NAME_PARENT_INDEX: by_site_name_parent,
}


class HostClaims:
    """The claims of all sites in all namespaces to host names, at one moment. Lookups use indices and do not read all
    sites, and each is made once."""

    def __init__(self, cache: View) -> None:
        self.cache = cache
        self._defaults: dict[Key, DomainDefaults] = {}
        self._holders: dict[str, HostClaim | None] = {}

    def domain(self, live: LiveSite) -> Domain | None:
        """The host names of a site; None when its spec does not match the schema."""
        spec = readable_spec(live)
        return resolve(spec, self._bench_defaults(Key(live.metadata.namespace, spec.bench_ref.name))) if spec else None

    def holder(self, host: str) -> HostClaim | None:
        """The first of all claims to `host`, to a wildcard host around it, and to hosts inside it; None without
        claims. Its site owns `host`, if it claims `host` at all."""
        if host not in self._holders:
            sites = sorted(self._candidates(host), key=_age)
            claims = (_claim(live, claimed) for live in sites for claimed in self._overlapping(live, host))
            self._holders[host] = next(claims, None)
        return self._holders[host]

    def owner(self, host: str) -> Key | None:
        """The site to which a host belongs that is claimed by a site."""
        holder = self.holder(host)
        return holder.key if holder else None

    def claims(self, host: str) -> list[HostClaim]:
        """All claims to `host`, to a wildcard host around it, and to hosts inside it, the first one first."""
        found = self._candidates(host)
        return sorted(_claim(live, claimed) for live in found for claimed in self._overlapping(live, host))

    def losers(self, live: LiveSite) -> list[LiveSite]:
        """Every site that loses a host because of this site, or would get one if this site were not there. `live`: the
        present object, an earlier version of it, or a deleted one."""
        domain = self.domain(live)
        hosts = domain.hosts if domain else ()
        found = {}
        for host in hosts:
            claim = _claim(live, host)
            for other in self._candidates(host):
                if any(self._comes_first(claim, claimed) for claimed in self._overlapping(other, host)):
                    found[other.metadata.key] = other
        found.pop(live.metadata.key, None)
        return list(found.values())

    def losers_of(self, bench: LiveBench) -> list[LiveSite]:
        """Every site that may get or lose a host when the domain configuration of a bench changes. `bench`: the present
        object, or an earlier version of it."""
        defaults = bench_model.domain_defaults(bench)
        sites = self.cache.select(SITE, BENCH_INDEX, str(bench.metadata.key))
        hosts: dict[str, None] = {}
        for spec in filter(None, map(readable_spec, sites)):
            domain = resolve(spec, defaults)
            hosts |= dict.fromkeys(filter(is_wildcard, domain.hosts))
            if not spec.domain:
                hosts[domain.host] = None
        # Those that had the host name of a load balancer have another one now.
        lost = [site for site in sites if defaults.detected_host]
        rivals = (other for host in hosts for other in self._candidates(host) if any(self._overlapping(other, host)))
        return _unique([*lost, *rivals])

    def _comes_first(self, claim: HostClaim, host: str) -> bool:
        """Whether no other claim comes before `claim` among those that exclude one to `host`."""
        holder = self.holder(host)
        return holder is None or holder.key == claim.key or claim < holder

    def _overlapping(self, live: LiveSite, host: str) -> Iterator[str]:
        """The hosts of a site, a claim to which excludes claims of others to `host`."""
        domain = self.domain(live)
        return (each for each in domain.hosts if overlap(each, host)) if domain else iter(())

    def _candidates(self, host: str) -> list[LiveSite]:
        """The sites that may have a claim that excludes claims of others to `host`, and a few more."""
        if is_wildcard(host):
            return _unique([*self._named(host), *self._inside(parent(host))])
        return _unique([*self._named(host), *self._named(wildcard_of(host)), *self._derived(host)])

    def _named(self, host: str) -> list[LiveSite]:
        """The sites in whose spec a host is."""
        return self.cache.select(SITE, HOST_INDEX, host)

    def _derived(self, host: str) -> Iterator[LiveSite]:
        """The sites whose bench may give them a host."""
        for name in _beginnings(host):
            yield from self.cache.select(SITE, NAME_INDEX, name)
        for bench in self._detecting():
            if self._bench_defaults(bench).detected_host == host:
                yield from self.cache.select(SITE, BENCH_INDEX, str(bench))

    def _inside(self, domain: str) -> Iterator[LiveSite]:
        """The sites that may have a host one label below a domain."""
        yield from self.cache.select(SITE, PARENT_INDEX, domain)
        for name in _beginnings(domain):
            yield from self.cache.select(SITE, NAME_PARENT_INDEX, name)
        benches = [bench.metadata.key for bench in self.cache.select(BENCH, SUFFIX_INDEX, f".{domain}")]
        for bench in self._detecting():
            found = self._bench_defaults(bench)
            if found.detected_suffix == f".{domain}" or parent(found.detected_host or "") == domain:
                benches.append(bench)
        for bench in benches:
            yield from self.cache.select(SITE, BENCH_INDEX, str(bench))

    def _detecting(self) -> list[Key]:
        return [bench.metadata.key for bench in self.cache.select(BENCH, DETECTS_INDEX, DETECTS)]

    def _bench_defaults(self, key: Key) -> DomainDefaults:
        if key not in self._defaults:
            bench = self.cache.get(BENCH, key.namespace, key.name)
            self._defaults[key] = bench_model.domain_defaults(bench) if bench else NO_DEFAULTS
        return self._defaults[key]


def _age(live: LiveSite) -> tuple[str, Key]:
    return live.metadata.creation_timestamp, live.metadata.key


def _claim(live: LiveSite, host: str) -> HostClaim:
    return HostClaim(live.metadata.creation_timestamp, live.metadata.key, host)


def _beginnings(host: str) -> Iterator[str]:
    """The first labels of a host, and more of them up to all: each may be a siteName, and the rest the suffix of a
    bench."""
    labels = host.split(".")
    return (".".join(labels[:count]) for count in range(1, len(labels) + 1))


def _unique(sites: Iterable[LiveSite]) -> list[LiveSite]:
    return list({live.metadata.key: live for live in sites}.values())
