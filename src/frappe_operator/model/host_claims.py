"""Which site owns a host name, in the whole cluster.

A site claims every host of its own. Two claims exclude each other when they are for one host, or one is for a wildcard
host and the other for a host inside it. A site owns a host when no claim of another site that excludes its own comes
before it: a site keeps the hosts that it has, and what no site has belongs to the oldest. Claims that lose count as
well, so that of any two claims it is certain which comes first.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite, readable_spec
from frappe_operator.kube.objects import Key
from frappe_operator.kube.view import View
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain_defaults
from frappe_operator.model.domain import Domain, resolve
from frappe_operator.model.domain_defaults import NO_DEFAULTS, DomainDefaults
from frappe_operator.model.host import is_wildcard, normalise, overlap, parent, wildcard_of


class HostClaim(NamedTuple):
    """The claim of a site to a host name. The least claim wins: of a site that has the host, then of the oldest, then
    of the first by namespace and name."""

    asks: bool
    """Whether the site does not have the host yet."""
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


class HostGrants:
    """The hosts that this process has given to sites. The status of a site says the same a moment later, and to the
    next process."""

    def __init__(self) -> None:
        self._hosts: dict[Key, tuple[str, frozenset[str]]] = {}
        self._sites: dict[str, Key] = {}

    def give(self, live: LiveSite, hosts: Iterable[str]) -> None:
        """From now on a site has these hosts and no others."""
        key, given = live.metadata.key, frozenset(hosts)
        if self._hosts.get(key) == (live.metadata.uid, given):
            return
        self.forget(key)
        self._hosts[key] = live.metadata.uid, given
        self._sites |= dict.fromkeys(given, key)

    def forget(self, key: Key) -> None:
        """A site does not exist any more."""
        for host in self._hosts.pop(key, ("", frozenset[str]()))[1]:
            if self._sites.get(host) == key:
                del self._sites[host]

    def has(self, live: LiveSite, host: str) -> bool:
        """Whether a site has a host."""
        uid, hosts = self._hosts.get(live.metadata.key, ("", frozenset[str]()))
        return uid == live.metadata.uid and host in hosts

    def site(self, host: str) -> Key | None:
        """The site that has got a host; it may not claim it any more."""
        return self._sites.get(host)


class _Host(Struct):
    name: str = ""


class _Status(Struct):
    hosts: tuple[_Host, ...] = ()


class HostClaims:
    """The claims of all sites in all namespaces to host names, at one moment. Lookups use indices and do not read all
    sites, and each is made once."""

    def __init__(self, cache: View, grants: HostGrants) -> None:
        self.cache = cache
        self.grants = grants
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
            # However many ask for a host that a site has, it is found at once.
            self._holders[host] = self._granted(host) or next(iter(self.claims(host)), None)
        return self._holders[host]

    def owner(self, host: str) -> Key | None:
        """The site to which a host belongs that is claimed by a site."""
        holder = self.holder(host)
        return holder.key if holder else None

    def claims(self, host: str) -> list[HostClaim]:
        """All claims to `host`, to a wildcard host around it, and to hosts inside it, the first one first."""
        found = self._candidates(host)
        return sorted(self._claim(live, claimed) for live in found for claimed in self._overlapping(live, host))

    def losers(self, live: LiveSite) -> list[LiveSite]:
        """Every site that loses a host because of this site, or would get one if this site were not there. `live`: the
        present object, an earlier version of it, or a deleted one."""
        domain = self.domain(live)
        found: list[LiveSite] = []
        for host in domain.hosts if domain else ():
            claim = self._claim(live, host)
            for rival in self._rival_hosts(host):
                holder = self.holder(rival)
                if holder is None or holder.key == claim.key or claim < holder:
                    found += [other for other in self._exact_candidates(rival) if self._claims(other, rival)]
        return [other for other in _unique(found) if other.metadata.key != live.metadata.key]

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
        return _unique(
            [
                *lost,
                *(other for host in hosts for other in self._candidates(host) if any(self._overlapping(other, host))),
            ]
        )

    def _rival_hosts(self, host: str) -> Iterable[str]:
        """The hosts, a claim to which a claim to `host` excludes, as far as there are claims to them."""
        if not is_wildcard(host):
            wildcard = wildcard_of(host)
            return (host, wildcard) if self._named(wildcard) else (host,)
        inside = self._inside(parent(host))
        return dict.fromkeys([host, *(each for other in inside for each in self._overlapping(other, host))])

    def _granted(self, host: str) -> HostClaim | None:
        """The claim of the site that has got a host, or the wildcard host around it, and still claims it."""
        for each in dict.fromkeys((host, wildcard_of(host))):
            key = self.grants.site(each)
            live = self.cache.get(SITE, *key) if key else None
            if live is not None and self.grants.has(live, each) and self._claims(live, each):
                return HostClaim(False, live.metadata.creation_timestamp, live.metadata.key, each)
        return None

    def _claim(self, live: LiveSite, host: str) -> HostClaim:
        has = self.grants.has(live, host) or host in _recorded(live)
        return HostClaim(not has, live.metadata.creation_timestamp, live.metadata.key, host)

    def _claims(self, live: LiveSite, host: str) -> bool:
        domain = self.domain(live)
        return domain is not None and host in domain.hosts

    def _overlapping(self, live: LiveSite, host: str) -> Iterator[str]:
        """The hosts of a site, a claim to which excludes claims of others to `host`."""
        domain = self.domain(live)
        return (each for each in domain.hosts if overlap(each, host)) if domain else iter(())

    def _candidates(self, host: str) -> list[LiveSite]:
        """The sites that may have a claim that excludes claims of others to `host`, and a few more."""
        around = self._inside(parent(host)) if is_wildcard(host) else self._named(wildcard_of(host))
        return _unique([*self._exact_candidates(host), *around])

    def _exact_candidates(self, host: str) -> list[LiveSite]:
        """The sites that may have exactly this host."""
        return [*self._named(host), *(() if is_wildcard(host) else self._derived(host))]

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


def _recorded(live: LiveSite) -> set[str]:
    """The hosts that a site has by its status."""
    try:
        return {host.name for host in msgspec.json.decode(live.status_json, type=_Status).hosts}
    except msgspec.MsgspecError:
        return set()


def _beginnings(host: str) -> Iterator[str]:
    """The first labels of a host, and more of them up to all: each may be a siteName, and the rest the suffix of a
    bench."""
    labels = host.split(".")
    return (".".join(labels[:count]) for count in range(1, len(labels) + 1))


def _unique(sites: Iterable[LiveSite]) -> list[LiveSite]:
    return list({live.metadata.key: live for live in sites}.values())
