"""The host names of a site."""

import re
from typing import NamedTuple

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.model.domain_defaults import DomainDefaults
from frappe_operator.model.host import is_wildcard, normalise, punycode_problem

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
    problems: tuple[str, ...] = ()
    """Messages about aliases and redirects that the site does not get."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """All host names, the main one first."""
        return (self.host, *self.aliases, *self.redirects)


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
    problems = {
        each: problem
        for field, declared in (("aliases", spec.aliases), ("redirects", spec.redirects))
        for each in map(normalise, declared or [])
        if (problem := _problem(field, each, defaults))
    }
    aliases = _others(spec.aliases, {host, *problems})
    redirects = _others(spec.redirects, {host, *aliases, *problems})
    return Domain(host, source, aliases, redirects, tuple(problems.values()))


def _problem(field: str, host: str, defaults: DomainDefaults) -> str:
    """A message about an alias or redirect that a site does not get; empty when it gets it."""
    if is_wildcard(host) and not defaults.wildcards:
        return (
            f"{field}: {host} is a wildcard host, which the bench of the site does not allow: set "
            "domainConfig.allowWildcards of the bench to true, or list the hosts one by one"
        )
    problem = punycode_problem(host)
    return f"{field}: {problem}" if problem else ""


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
    if problem := punycode_problem(host):
        return f"{origin} {host}: {problem}"
    return ""
