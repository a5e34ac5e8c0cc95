"""The owner of a host."""

from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.api.kinds import BENCH, SITE, LiveSite
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Key
from frappe_operator.kube.view import View
from frappe_operator.model import host_claims
from frappe_operator.model.host import overlap
from frappe_operator.model.host_claims import HostClaims, HostGrants
from tests.unit.resolved_samples import NAMESPACE, live


class Cached:
    """A View of a few sites and one bench."""

    def __init__(self, *sites: LiveSite, suffix: str | None = None) -> None:
        config = {"allowWildcards": True, **({"suffix": suffix} if suffix else {})}
        self.bench = live("pier", {"frappeVersion": "version-15", "domainConfig": config}, kind=BENCH)
        self.sites = sites

    def get(self, kind: Kind, namespace: str, name: str) -> Live | None:
        return self.bench if (kind, namespace, name) == (BENCH, NAMESPACE, "pier") else None

    def select(self, kind: Kind, index: str, value: str) -> list[Live]:
        if kind == BENCH:
            return [self.bench] if value in host_claims.BENCH_INDICES[index](self.bench) else []
        return [site for site in self.sites if value in host_claims.INDICES[index](site)]


def register(*sites: LiveSite, suffix: str | None = None, grants: HostGrants | None = None) -> HostClaims:
    return HostClaims(cast(View, Cached(*sites, suffix=suffix)), grants or HostGrants())


def a_site(name: str, created: str, status: dict[str, Any] | None = None, **spec: Any) -> LiveSite:
    result = live(name, {"benchRef": {"name": "pier"}, "siteName": name, **spec}, kind=SITE)
    if status is not None:
        result = LiveSite(result.metadata, result.spec, msgspec.Raw(msgspec.json.encode(status)))
    result.metadata.creation_timestamp = created
    return result


def test_a_host_that_comes_about_in_two_ways_is_one_host() -> None:
    by_suffix = a_site("pearl", "2026-01-01T00:00:00Z")
    by_domain = a_site("gull", "2026-01-02T00:00:00Z", domain="PEARL.ships.net")
    by_alias = a_site("heron", "2025-01-01T00:00:00Z", aliases=["pearl.ships.net."])
    assert register(by_suffix, by_domain, suffix=".ships.net").owner("pearl.ships.net") == (NAMESPACE, "pearl")
    hosts = register(by_suffix, by_domain, by_alias, suffix=".ships.net")
    assert hosts.owner("pearl.ships.net") == (NAMESPACE, "heron")
    assert {claim.key.name for claim in hosts.claims("pearl.ships.net")} == {"pearl", "gull", "heron"}


def test_a_site_name_claims_nothing_where_a_suffix_or_domain_stands_instead() -> None:
    hosts = register(a_site("pearl", "1"), a_site("gull", "2", domain="other.net"), suffix=".ships.net")
    assert hosts.owner("pearl") is None
    assert hosts.owner("gull.ships.net") is None


def test_what_is_no_site_claims_nothing() -> None:
    broken = live("wreck", {"siteName": 5}, kind=SITE)
    hosts = register(broken)
    assert hosts.domain(broken) is None
    assert [index(broken) for index in host_claims.INDICES.values()] == [[]] * 5


def test_the_older_claim_wins_and_then_the_lesser_name() -> None:
    young, old = a_site("gull", "2026-01-02T00:00:00Z", domain="x.net"), a_site("heron", "2026-01-01T00:00:00Z")
    old_too = a_site("pearl", "2026-01-01T00:00:00Z", domain="x.net", aliases=["heron"])
    assert register(young, old_too, old).owner("x.net") == (NAMESPACE, "pearl")
    assert register(old_too, old).owner("heron") == (NAMESPACE, "heron")
    assert register(old).owner("x.net") is None


def test_a_wildcard_and_a_host_inside_it_exclude_each_other() -> None:
    wild, inside = a_site("pearl", "1", aliases=["*.x.net"]), a_site("gull", "2", domain="a.x.net")
    below, beside = a_site("heron", "3", domain="a.b.x.net"), a_site("tern", "4", domain="x.net")
    hosts = register(below, inside, beside, wild)
    assert hosts.owner("a.x.net") == hosts.owner("*.x.net") == (NAMESPACE, "pearl")
    assert (hosts.owner("a.b.x.net"), hosts.owner("x.net")) == ((NAMESPACE, "heron"), (NAMESPACE, "tern"))
    assert hosts.claims("a.x.net") == [
        (True, "1", (NAMESPACE, "pearl"), "*.x.net"),
        (True, "2", (NAMESPACE, "gull"), "a.x.net"),
    ]


def test_a_site_may_have_a_wildcard_and_hosts_inside_it() -> None:
    hosts = register(a_site("pearl", "1", domain="a.x.net", aliases=["*.x.net", "b.x.net"]), a_site("b.x.net", "2"))
    assert {hosts.owner(host) for host in ("a.x.net", "*.x.net", "b.x.net")} == {(NAMESPACE, "pearl")}


def test_a_claim_that_loses_still_counts() -> None:
    first, second = a_site("gull", "1", domain="a.x.net"), a_site("pearl", "2", aliases=["*.x.net"])
    hosts = register(first, second, a_site("heron", "3", domain="b.x.net"))
    assert hosts.owner("*.x.net") == (NAMESPACE, "gull")
    assert hosts.owner("b.x.net") == (NAMESPACE, "pearl")


def test_a_site_keeps_a_host_that_it_has_when_an_older_one_asks_for_it() -> None:
    older, owner = a_site("gull", "1", aliases=["x.net"]), a_site("pearl", "2", domain="x.net")
    assert register(older, owner).owner("x.net") == (NAMESPACE, "gull")
    grants = HostGrants()
    grants.give(owner, ["x.net"])
    assert register(older, owner, grants=grants).owner("x.net") == (NAMESPACE, "pearl")
    recorded = a_site("pearl", "2", status={"hosts": [{"name": "x.net"}]}, domain="x.net")
    assert register(older, recorded).owner("x.net") == (NAMESPACE, "pearl"), "after the process has started again"
    grants.forget(owner.metadata.key)
    assert register(older, owner, grants=grants).owner("x.net") == (NAMESPACE, "gull")


def test_what_a_deleted_site_had_is_not_what_its_successor_has() -> None:
    before, grants = a_site("pearl", "1", domain="x.net"), HostGrants()
    grants.give(before, ["x.net"])
    again = a_site("pearl", "3", domain="x.net")
    again.metadata.uid = "another"
    hosts = register(again, a_site("gull", "2", domain="x.net"), grants=grants)
    assert hosts.owner("x.net") == (NAMESPACE, "gull")


def test_a_host_that_a_site_has_no_longer_in_its_spec_is_not_claimed() -> None:
    was = a_site("pearl", "1", status={"hosts": [{"name": "x.net"}]}, domain="y.net")
    assert register(was, a_site("gull", "2", domain="x.net")).owner("x.net") == (NAMESPACE, "gull")


@pytest.mark.parametrize("status", [{"hosts": "x.net"}, {"hosts": None}, {"hosts": [5]}, {}])
def test_a_status_that_nobody_can_read_records_nothing(status: dict[str, Any]) -> None:
    odd = a_site("pearl", "2", status=status, domain="x.net")
    assert register(odd, a_site("gull", "1", domain="x.net")).owner("x.net") == (NAMESPACE, "gull")


def test_only_those_who_get_or_lose_a_host_hear_of_a_site() -> None:
    sites = [a_site(name, name, aliases=["x.net"]) for name in "abcd"]
    hosts = register(*sites)
    assert [each.metadata.name for each in hosts.losers(sites[0])] == ["b", "c", "d"]
    assert hosts.losers(sites[2]) == []
    gone = register(*sites[1:])
    assert [each.metadata.name for each in gone.losers(sites[0])] == ["b", "c", "d"]
    assert [each.metadata.name for each in register(*sites[:3]).losers(sites[3])] == []


NAMES = st.sampled_from(["a", "b", "a.x.net", "b.x.net", "c.a.x.net", "x.net"])
LISTS = st.lists(st.sampled_from(["*.x.net", "*.a.x.net", "A.x.net", "b.x.net", "d.x.net", "c.a.x.net."]), max_size=3)
SPECS = st.fixed_dictionaries({"siteName": NAMES, "aliases": LISTS}, optional={"domain": NAMES, "redirects": LISTS})


@given(st.lists(st.tuples(st.sampled_from("123"), SPECS), max_size=6), st.sampled_from([None, ".x.net"]), st.data())
def test_the_indices_find_every_claim_and_the_first_one_wins(
    drawn: list[tuple[str, dict[str, Any]]], suffix: str | None, data: st.DataObject
) -> None:
    sites = [a_site(f"site-{number}", created, **spec) for number, (created, spec) in enumerate(drawn)]
    hosts = register(*data.draw(st.permutations(sites)), suffix=suffix)
    domains = {site.metadata.key: found.hosts for site in sites if (found := hosts.domain(site))}
    for site in sites:
        for host in domains[site.metadata.key]:
            every = [
                (True, each.metadata.creation_timestamp, each.metadata.key, other)
                for each in sites
                for other in domains[each.metadata.key]
                if overlap(host, other)
            ]
            assert hosts.claims(host) == sorted(every)
            assert hosts.owner(host) == min(every)[2]


@given(st.lists(st.tuples(st.sampled_from("123"), SPECS), min_size=1, max_size=6), st.sampled_from([None, ".x.net"]))
def test_whoever_gets_or_loses_a_host_because_of_a_site_hears_of_it(
    drawn: list[tuple[str, dict[str, Any]]], suffix: str | None
) -> None:
    sites = [a_site(f"site-{number}", created, **spec) for number, (created, spec) in enumerate(drawn)]

    def holders(hosts: HostClaims, site: LiveSite) -> dict[str, Key | None]:
        found = hosts.domain(site)
        return {host: hosts.owner(host) for host in found.hosts} if found else {}

    with_it, without = register(*sites, suffix=suffix), register(*sites[1:], suffix=suffix)
    changed = {each.metadata.name for each in sites[1:] if holders(with_it, each) != holders(without, each)}
    assert {each.metadata.name for each in with_it.losers(sites[0])} == changed
    assert {each.metadata.name for each in without.losers(sites[0])} == changed
