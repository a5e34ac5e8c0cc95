"""Wildcard hosts and internationalised names as aliases, from the spec to the maps of the proxy."""

from typing import Any

import pytest

from fakecluster import certificates
from fakecluster.apiserver.store import Change
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, HTTP_ROUTE, INGRESS, Ref
from frappe_operator.kube.objects import Manifest
from tests.world.site_state import fetched
from tests.world.test_gateway import GATEWAY

WILD: Manifest = {"domainConfig": {"allowWildcards": True}}


def hosts_map(world: World, bench: str = "forge", name: str = "hosts.map") -> str:
    return str(world.get_existing(Ref(CONFIG_MAP, "default", f"{bench}-nginx"))["data"][name])


def status(world: World, name: str = "acme") -> dict[str, Any]:
    return dict(world.get_existing(Ref(SITE, "default", name))["status"])


def test_a_site_is_served_at_every_host_inside_its_wildcard() -> None:
    world = a_world(a_bench(**WILD), a_site("acme", aliases=["*.Shop.example.com."], redirects=["*.old.example.com"]))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert "*.shop.example.com" in world.condition("Routed", "acme", SITE).message
    rules = [rule["host"] for rule in world.get_existing(Ref(INGRESS, "default", "acme"))["spec"]["rules"]]
    assert rules == ["acme.example.com", "*.shop.example.com", "*.old.example.com"]
    assert hosts_map(world, name="redirects.map") == "_.old.example.com acme.example.com;\n"
    assert status(world)["hosts"] == [
        {"name": "acme.example.com"},
        {"name": "*.shop.example.com"},
        {"name": "*.old.example.com", "redirected": True},
    ]
    assert fetched(world, "blue.shop.example.com") == 200
    for host in ("shop.example.com", "deep.blue.shop.example.com", "*.shop.example.com.evil.example"):
        assert fetched(world, host) == 404, host
    world.assert_no_writes(600)


def test_only_a_bench_that_allows_them_has_wildcards_and_the_site_is_served_without() -> None:
    world = a_world(a_bench(), a_site("acme", aliases=["*.shop.example.com", "www.example.com"]))
    settle(world)
    routed = world.condition("Routed", "acme", SITE)
    assert (routed.reason, "set domainConfig.allowWildcards of the bench" in routed.message) == ("InvalidSpec", True)
    assert [fetched(world, host) for host in ("acme.example.com", "www.example.com", "a.shop.example.com")] == [
        *(200, 200, 404)
    ]
    assert [each["name"] for each in status(world)["hosts"]] == ["acme.example.com", "www.example.com"]
    world.edit(BENCH, "forge", {"spec": WILD})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert fetched(world, "a.shop.example.com") == 200
    world.edit(BENCH, "forge", {"spec": {"domainConfig": None}})
    settle(world)
    assert fetched(world, "a.shop.example.com") == 404
    assert world.condition("Routed", "acme", SITE).reason == "InvalidSpec"


@pytest.mark.parametrize("bench", ["forge", "mill"])
@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("*.shop.example.com", "a.shop.example.com", "a.shop.example.com is inside *.shop.example.com, which belongs"),
        ("a.shop.example.com", "*.shop.example.com", "a.shop.example.com inside *.shop.example.com belongs to"),
        ("*.shop.example.com", "*.shop.example.com", "*.shop.example.com belongs to FrappeSite acme"),
    ],
)
def test_a_host_inside_the_wildcard_of_another_is_never_routed(bench: str, first: str, second: str, says: str) -> None:
    world = a_world(a_bench(**WILD), a_bench("mill", **WILD), a_site("acme", aliases=[first]))
    settle(world)
    seen = watched(world, "bolt")
    world.add(a_site("bolt", bench=bench, aliases=[second]))
    settle(world)
    taken = world.condition("Routed", "bolt", SITE)
    assert (taken.reason, taken.message.startswith(says)) == ("HostTaken", True), taken.message
    # The primary host is its own, and stays out of the Ingress until the conflict is settled.
    assert world.get(INGRESS, "bolt") is None
    assert seen == {"bolt.example.com"}
    assert fetched(world, "a.shop.example.com") == 200
    world.edit(SITE, "acme", {"spec": {"aliases": None}})
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok


def watched(world: World, site: str) -> set[str]:
    """The hosts that any write of a map, an Ingress or an HTTPRoute has given to a site, from now on."""
    found: set[str] = set()

    def note(ref: Ref, change: Change) -> None:
        found.update(host for host, owner in routes(change.record.obj) if owner == site)

    world.api.store.listeners.append(note)
    return found


def routes(written: Manifest) -> list[tuple[str, str]]:
    """The hosts that an object routes, each with the name of the site."""
    if written["kind"] == "Ingress":
        return [(rule["host"], written["metadata"]["name"]) for rule in written["spec"]["rules"]]
    if written["kind"] == "HTTPRoute":
        return [(host, written["metadata"]["name"]) for host in written["spec"]["hostnames"]]
    if written["kind"] == "ConfigMap":
        entries = (line.rstrip(";").split() for line in written.get("data", {}).get("hosts.map", "").splitlines())
        return [(host.replace("_.", "*."), service.removesuffix("-gunicorn")) for host, service in entries]
    return []


def test_a_bench_that_no_longer_allows_wildcards_frees_the_hosts_inside_them() -> None:
    world = a_world(a_bench(**WILD), a_bench("mill"), a_site("acme", aliases=["*.shop.example.com"]))
    settle(world)
    world.add(a_site("bolt", bench="mill", domain="a.shop.example.com"))
    settle(world)
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    world.edit(BENCH, "forge", {"spec": {"domainConfig": {"allowWildcards": False}}})
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    world.edit(BENCH, "forge", {"spec": WILD})
    settle(world)
    assert world.condition("Routed", "acme", SITE).reason == "HostTaken", "the other site has had it in the meantime"
    assert world.condition("Ready", "bolt", SITE).ok


def test_sites_that_a_suffix_names_are_inside_a_wildcard_as_well() -> None:
    world = a_world(
        a_bench(domainConfig={"suffix": ".shop.example.com"}),
        a_bench("mill", **WILD),
        a_site("acme", bench="mill", aliases=["*.shop.example.com"]),
    )
    settle(world)
    world.add(a_site("bolt", siteName="bolt"))
    settle(world)
    assert world.condition("Routed", "bolt", SITE).reason == "HostTaken"
    world.edit(BENCH, "forge", {"spec": {"domainConfig": {"suffix": ".example.net"}}})
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok


@pytest.mark.parametrize(
    ("names", "ready"),
    [
        (("acme.example.com", "*.shop.example.com"), True),
        (("acme.example.com", "a.shop.example.com"), False),
        (("acme.example.com", "*.example.com"), False),
        (("*.example.com", "*.shop.example.com"), True),
    ],
)
def test_a_wildcard_host_needs_a_wildcard_certificate(names: tuple[str, ...], ready: bool) -> None:
    site = a_site("acme", aliases=["*.shop.example.com"], tls={"secretName": "shop"})
    world = a_world(a_bench(**WILD), site, certificates.secret("shop", *names))
    settle(world)
    condition = world.condition("CertificateReady", "acme", SITE)
    assert condition.ok == ready
    assert ready or "and not for *.shop.example.com" in condition.message
    spec = world.get_existing(Ref(INGRESS, "default", "acme"))["spec"]
    assert spec["tls"] == [{"hosts": ["acme.example.com", "*.shop.example.com"], "secretName": "shop"}]
    expected = {"acme.example.com https;", "_.shop.example.com https;"} if ready else set()
    assert set(hosts_map(world, name="https.map").splitlines()) == expected


def test_a_gateway_gets_the_wildcard_as_it_is() -> None:
    world = a_world(
        a_bench(ingress=GATEWAY, **WILD), a_site("acme", aliases=["*.shop.example.com"]), more_kinds=[HTTP_ROUTE]
    )
    settle(world)
    route = world.get_existing(Ref(HTTP_ROUTE, "default", "acme"))
    assert route["spec"]["hostnames"] == ["acme.example.com", "*.shop.example.com"]


def test_internationalised_names_are_shown_in_both_spellings() -> None:
    world = a_world(a_bench(), a_site("acme", domain="XN--bcher-kva.example", aliases=["xn--fsqu00a.example.com"]))
    settle(world)
    assert status(world)["resolvedDomain"] == "xn--bcher-kva.example"
    assert status(world)["hosts"] == [
        {"name": "xn--bcher-kva.example", "unicodeName": "bücher.example"},
        {"name": "xn--fsqu00a.example.com", "unicodeName": "例子.example.com"},
    ]
    routed = world.condition("Routed", "acme", SITE).message
    assert "xn--bcher-kva.example (bücher.example), xn--fsqu00a.example.com (例子.example.com)" in routed


def test_invalid_punycode_is_refused_and_nothing_is_routed_to_it() -> None:
    world = a_world(a_bench(), a_site("acme", aliases=["xn--a.example.com"]), a_site("bolt", domain="xn--a.example"))
    settle(world)
    assert "aliases: xn--a in xn--a.example.com is not the punycode" in world.condition("Routed", "acme", SITE).message
    assert fetched(world, "acme.example.com") == 200
    assert fetched(world, "xn--a.example.com") == 404
    blocked = world.condition("BenchReady", "bolt", SITE)
    assert (blocked.reason, "domain gives xn--a.example: xn--a in xn--a.example is not" in blocked.message) == (
        "InvalidSpec",
        True,
    )
