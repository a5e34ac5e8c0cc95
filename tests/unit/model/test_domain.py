"""The hosts of a site, and the owner of a host."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.api.frappesite import BenchReference, FrappeSiteSpec
from frappe_operator.api.kinds import BENCH, SITE, LiveSite
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Key
from frappe_operator.kube.view import View
from frappe_operator.model import domain
from frappe_operator.model.domain import HostClaim, HostClaims, host_problem, normalise, resolve, winner
from frappe_operator.model.domain_defaults import NO_DEFAULTS, DomainDefaults
from tests.unit.resolved_samples import NAMESPACE, live


def site_spec(**spec: Any) -> FrappeSiteSpec:
    return FrappeSiteSpec(**{"bench_ref": BenchReference(name="pier"), "site_name": "pearl", **spec})


@pytest.mark.parametrize(
    ("spec", "suffix", "host", "source"),
    [
        ({}, None, "pearl", "sitename-default"),
        ({}, ".ships.net", "pearl.ships.net", "bench-suffix"),
        ({"domain": "Gull.Example.NET."}, ".ships.net", "gull.example.net", "explicit"),
        ({"site_name": "a.b"}, ".c.d", "a.b.c.d", "bench-suffix"),
    ],
)
def test_the_domain_comes_from_the_site_else_the_benchs_suffix_else_the_name(
    spec: dict[str, Any], suffix: str | None, host: str, source: str
) -> None:
    found = resolve(site_spec(**spec), DomainDefaults(suffix=suffix))
    assert (found.host, found.source) == (host, source)


def test_aliases_are_normalised_and_each_host_is_named_once() -> None:
    found = resolve(site_spec(domain="a.net", aliases=["B.net", "b.NET.", "A.net", "c.net"]), NO_DEFAULTS)
    assert found.hosts == ("a.net", "b.net", "c.net")


LONG = ".".join(["a" * 60] * 4)


@pytest.mark.parametrize(
    ("spec", "suffix", "text"),
    [
        ({"site_name": "10.0.0.7"}, None, "siteName gives 10.0.0.7, which is an address"),
        ({"site_name": "shop.0x7f"}, None, "which is an address"),
        ({"site_name": "2024"}, None, "which is an address"),
        ({"domain": "1.2.3.4."}, None, "domain gives 1.2.3.4, which is an address"),
        (
            {"site_name": LONG},
            ".ships.net.example",
            "siteName with the bench's suffix gives a host name of 261 char",
        ),
    ],
)
def test_an_invalid_host_is_a_problem_with_what_to_write(spec: dict[str, Any], suffix: str | None, text: str) -> None:
    problem = host_problem(resolve(site_spec(**spec), DomainDefaults(suffix=suffix)))
    assert text in problem
    assert "set domain to" in problem


@pytest.mark.parametrize(
    ("spec", "suffix"),
    [({"site_name": "10.0.0.7"}, ".ships.net"), ({"site_name": "2024"}, ".ships.net"), ({"domain": LONG + ".b"}, None)],
)
def test_names_that_lead_somewhere_are_served(spec: dict[str, Any], suffix: str | None) -> None:
    assert host_problem(resolve(site_spec(**spec), DomainDefaults(suffix=suffix))) == ""


@given(st.from_regex(r"[A-Za-z0-9.-]{1,40}", fullmatch=True))
def test_one_host_has_one_spelling(host: str) -> None:
    assert normalise(normalise(host)) == normalise(host) == normalise(host.upper()) == normalise(host + ".")


def test_the_older_claim_wins_and_then_the_lesser_name() -> None:
    old, young = HostClaim("2026-01-01T00:00:00Z", Key("b", "x")), HostClaim("2026-01-02T00:00:00Z", Key("a", "x"))
    assert winner([young, old]) == old.key
    assert winner([HostClaim("t", Key("b", "x")), HostClaim("t", Key("a", "y"))]) == Key("a", "y")
    assert winner([]) is None


@given(st.permutations([HostClaim(str(age % 3), Key("n", str(age))) for age in range(6)]))
def test_the_owner_of_a_host_does_not_depend_on_the_order_of_claims(claims: list[HostClaim]) -> None:
    assert winner(claims) == Key("n", "0")


class Cached:
    """A View of a few sites and one bench."""

    def __init__(self, *sites: LiveSite, suffix: str | None = None) -> None:
        config = {"domainConfig": {"suffix": suffix}} if suffix else {}
        self.bench = live("pier", {"frappeVersion": "version-15", **config}, kind=BENCH)
        self.sites = sites

    def get(self, kind: Kind, namespace: str, name: str) -> Live | None:
        return self.bench if (kind, namespace, name) == (BENCH, NAMESPACE, "pier") else None

    def select(self, kind: Kind, index: str, value: str) -> list[Live]:
        if kind == BENCH:
            return [self.bench] if value in domain.BENCH_INDICES[index](self.bench) else []
        return [site for site in self.sites if value in domain.INDICES[index](site)]


def register(*sites: LiveSite, suffix: str | None = None) -> HostClaims:
    return HostClaims(cast(View, Cached(*sites, suffix=suffix)))


def a_site(name: str, created: str, **spec: Any) -> LiveSite:
    result = live(name, {"benchRef": {"name": "pier"}, "siteName": name, **spec}, kind=SITE)
    result.metadata.creation_timestamp = created
    return result


def test_a_host_that_comes_about_in_two_ways_is_one_host() -> None:
    by_suffix = a_site("pearl", "2026-01-01T00:00:00Z")
    by_domain = a_site("gull", "2026-01-02T00:00:00Z", domain="PEARL.ships.net")
    by_alias = a_site("heron", "2025-01-01T00:00:00Z", aliases=["pearl.ships.net."])
    assert register(by_suffix, by_domain, suffix=".ships.net").holder("pearl.ships.net") == (NAMESPACE, "pearl")
    hosts = register(by_suffix, by_domain, by_alias, suffix=".ships.net")
    assert hosts.holder("pearl.ships.net") == (NAMESPACE, "heron")
    assert {site.metadata.name for site in hosts.claimants("pearl.ships.net")} == {"pearl", "gull", "heron"}


def test_a_site_name_claims_nothing_where_a_suffix_or_domain_stands_instead() -> None:
    hosts = register(a_site("pearl", "1"), a_site("gull", "2", domain="other.net"), suffix=".ships.net")
    assert hosts.holder("pearl") is None
    assert hosts.holder("gull.ships.net") is None


def test_what_is_no_site_claims_nothing() -> None:
    broken = live("wreck", {"siteName": 5}, kind=SITE)
    hosts = register(broken)
    assert hosts.domain(broken) is None
    assert [index(broken) for index in domain.INDICES.values()] == [[], [], []]
