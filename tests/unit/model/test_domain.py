"""The hosts of a site."""

from typing import Any

import pytest

from frappe_operator.api.frappesite import BenchReference, FrappeSiteSpec
from frappe_operator.model.domain import host_problem, resolve
from frappe_operator.model.domain_defaults import NO_DEFAULTS, DomainDefaults


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


WILD = DomainDefaults(wildcards=True)


def test_wildcard_hosts_are_those_of_a_site_whose_bench_allows_them() -> None:
    spec = site_spec(domain="a.net", aliases=["*.Shop.net", "b.net"], redirects=["*.old.net."])
    assert resolve(spec, WILD).hosts == ("a.net", "*.shop.net", "b.net", "*.old.net")
    assert resolve(spec, WILD).problems == ()
    refused = resolve(spec, NO_DEFAULTS)
    assert refused.hosts == ("a.net", "b.net")
    assert [problem.split(" is ")[0] for problem in refused.problems] == ["aliases: *.shop.net", "redirects: *.old.net"]
    assert "set domainConfig.allowWildcards of the bench to true" in refused.problems[0]


def test_a_name_with_invalid_punycode_is_not_served_and_a_problem() -> None:
    found = resolve(site_spec(domain="a.net", aliases=["xn--a.net", "*.xn--99999999.net"]), WILD)
    assert found.hosts == ("a.net",)
    assert "aliases: xn--a in xn--a.net is not the punycode of a name" in found.problems[0]
    assert "xn--99999999 in *.xn--99999999.net" in found.problems[1]


@pytest.mark.parametrize(
    ("spec", "suffix", "text"),
    [
        ({"domain": "shop.xn--a"}, None, "domain gives shop.xn--a: xn--a in shop.xn--a is not the punycode"),
        ({"site_name": "xn--a"}, ".net", "siteName with the bench's suffix gives xn--a.net: xn--a in xn--a.net is"),
    ],
)
def test_a_main_host_with_invalid_punycode_is_a_problem(spec: dict[str, Any], suffix: str | None, text: str) -> None:
    assert text in host_problem(resolve(site_spec(**spec), DomainDefaults(suffix=suffix)))
