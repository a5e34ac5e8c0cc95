"""Sites with TLS: their Ingress, their address, their certificate as a condition, and who is redirected when."""

from datetime import UTC, datetime, timedelta

import pytest

from fakecluster import certificates
from fakecluster.apiserver.verbs import START
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CERTIFICATE, CONFIG_MAP, INGRESS, SECRET, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.certificate import SOON
from frappe_operator.model.tls import own_secret
from tests.world.site_state import configured

HOST = "acme.example.com"


def a_tls_world(*more: Manifest, bench: Manifest | None = None, **tls: object) -> World:
    """A bench and the site acme with this `tls`, settled."""
    world = a_world(bench or a_bench(), a_site("acme", tls=tls or None), *more)
    settle(world)
    return world


def maps(world: World) -> dict[str, str]:
    """The maps of the proxy by name."""
    return dict(world.get_existing(Ref(CONFIG_MAP, "default", "forge-nginx"))["data"])


def ingress(world: World) -> Manifest:
    return world.get_existing(Ref(INGRESS, "default", "acme"))


def test_a_site_with_a_certificate_is_at_https_and_its_visitors_are_redirected() -> None:
    world = a_tls_world(certificates.secret("shop", HOST), secretName="shop", hstsMaxAge=3600)
    assert world.condition("CertificateReady", "acme", SITE).ok
    assert world.condition("Ready", "acme", SITE).ok
    assert world.get_existing(Ref(SITE, "default", "acme"))["status"]["siteURL"] == f"https://{HOST}"
    assert configured(world)["host_name"] == f"https://{HOST}"
    assert ingress(world)["spec"]["tls"] == [{"hosts": [HOST], "secretName": "shop"}]
    assert (maps(world)["https.map"], maps(world)["hsts.map"]) == (f"{HOST} https;\n", f"{HOST} 3600;\n")
    world.assert_no_writes(600)


def test_without_tls_no_certificate_is_needed_and_nothing_is_in_the_ingress() -> None:
    world = a_tls_world()
    assert world.condition("CertificateReady", "acme", SITE).reason == "NotNeeded"
    assert "tls" not in ingress(world)["spec"]
    assert maps(world)["https.map"] == ""


def test_nobody_is_redirected_before_there_is_a_certificate() -> None:
    world = a_tls_world(secretName="shop")
    missing = world.condition("CertificateReady", "acme", SITE)
    assert (missing.reason, "Secret shop does not exist" in missing.message) == ("SecretNotFound", True)
    assert world.condition("Serving", "acme", SITE).ok
    assert maps(world)["https.map"] == ""
    world.add(certificates.secret("shop", HOST))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert maps(world)["https.map"] == f"{HOST} https;\n"
    world.delete(SECRET, "shop")
    settle(world)
    assert maps(world)["https.map"] == ""
    assert not world.condition("Ready", "acme", SITE).ok


@pytest.mark.parametrize(
    ("secret", "reason", "words"),
    [
        (certificates.secret("shop", "other.example.com"), "CertificateInvalid", "is for other.example.com, and not"),
        (certificates.secret("shop", "*.com"), "CertificateInvalid", "and not for acme.example.com"),
        (
            {**certificates.secret("shop", HOST), "stringData": {"tls.crt": "no", "tls.key": "no"}},
            "SecretInvalid",
            "contains no certificate",
        ),
        (
            {**certificates.secret("shop", HOST), "stringData": {"tls.crt": certificates.certificate(HOST)[0]}},
            "SecretInvalid",
            "has no key tls.key",
        ),
        (
            {
                **certificates.secret("shop", HOST),
                "stringData": {
                    "tls.crt": certificates.certificate(HOST)[0],
                    "tls.key": certificates.certificate(HOST)[1],
                },
            },
            "SecretInvalid",
            "does not belong to its certificate",
        ),
    ],
)
def test_a_certificate_that_no_browser_accepts_is_said_in_words(secret: Manifest, reason: str, words: str) -> None:
    world = a_tls_world(secret, secretName="shop")
    found = world.condition("CertificateReady", "acme", SITE)
    assert (found.reason, words in found.message) == (reason, True), found
    assert "PRIVATE" not in str(world.get_existing(Ref(SITE, "default", "acme")))
    assert maps(world)["https.map"] == ""


HOURS = timedelta(hours=1)


@pytest.mark.parametrize(
    ("left", "before", "after"),
    [(SOON + HOURS, "is valid until", "expires on"), (HOURS, "expires on", "has expired on")],
)
def test_a_certificate_that_expires_is_said_in_time(left: timedelta, before: str, after: str) -> None:
    world = a_tls_world()
    end = datetime.fromtimestamp(START.timestamp() + world.loop.time(), UTC) + left
    world.add(certificates.secret("shop", HOST, until=end))
    world.edit(SITE, "acme", {"spec": {"tls": {"secretName": "shop"}}})
    settle(world)
    assert before in world.condition("CertificateReady", "acme", SITE).message
    world.run(2 * HOURS.total_seconds())
    found = world.condition("CertificateReady", "acme", SITE)
    assert (found.ok, after in found.message) == (left > HOURS, True)
    assert maps(world)["https.map"] == (f"{HOST} https;\n" if found.ok else "")
    world.delete(SECRET, "shop")
    world.add(certificates.secret("shop", HOST))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


@pytest.mark.parametrize("name", ["acme", "a" * 60])
def test_a_site_hears_of_the_certificate_that_cert_manager_writes_for_it(name: str) -> None:
    """Also under a name that had to be shortened."""
    world = a_world(a_bench(tls={"clusterIssuer": "letsencrypt"}), a_site(name), more_kinds=[CERTIFICATE])
    settle(world)
    secret = own_secret(name)
    host = world.get_existing(Ref(SITE, "default", name))["status"]["resolvedDomain"]
    assert world.condition("CertificateReady", name, SITE).reason == "CertificatePending"
    world.add(certificates.secret(secret, host))
    settle(world)
    assert world.condition("CertificateReady", name, SITE).ok


def test_with_an_issuer_cert_manager_is_asked_by_annotation() -> None:
    world = a_world(a_bench(tls={"clusterIssuer": "letsencrypt"}), a_site("acme"), more_kinds=[CERTIFICATE])
    settle(world)
    assert ingress(world)["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    assert ingress(world)["spec"]["tls"] == [{"hosts": [HOST], "secretName": "acme-tls"}]
    assert world.condition("CertificateReady", "acme", SITE).reason == "CertificatePending"
    world.add(certificates.secret("acme-tls", HOST))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_cluster_without_cert_manager_is_told_what_to_install() -> None:
    world = a_tls_world(clusterIssuer="letsencrypt")
    missing = world.condition("CertificateReady", "acme", SITE)
    assert (missing.reason, "install cert-manager" in missing.message) == ("NotInstalled", True)
    assert world.condition("Serving", "acme", SITE).ok
    world.add(certificates.secret("acme-tls", HOST))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok, "whoever has written it"


def test_a_wildcard_of_the_bench_is_for_all_sites_and_a_site_may_do_without() -> None:
    world = a_tls_world(a_site("bolt", tls={"enabled": False}), bench=a_bench(tls={"secretName": "wild"}))
    assert world.condition("CertificateReady", "acme", SITE).reason == "SecretNotFound"
    assert world.condition("Ready", "bolt", SITE).ok
    world.add(certificates.secret("wild", "*.example.com"))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert maps(world)["https.map"] == f"{HOST} https;\n"
    world.assert_no_writes(600)


def test_tls_comes_and_goes() -> None:
    world = a_tls_world(certificates.secret("shop", HOST))
    for tls in ({"secretName": "shop"}, None, {"enabled": True}):
        world.edit(SITE, "acme", {"spec": {"tls": None}})
        world.edit(SITE, "acme", {"spec": {"tls": tls}})
        settle(world)
        assert world.condition("Ready", "acme", SITE).ok
        assert configured(world)["host_name"] == f"{'https' if tls else 'http'}://{HOST}"
        assert maps(world)["https.map"] == (f"{HOST} https;\n" if tls else "")


def test_redirects_lead_to_the_primary_host_and_aliases_are_served() -> None:
    world = a_world(a_bench(), a_site("acme", aliases=["www.example.com"], redirects=["Old.example.com."]))
    settle(world)
    assert maps(world)["redirects.map"] == f"old.example.com {HOST};\n"
    assert [rule["host"] for rule in ingress(world)["spec"]["rules"]] == [HOST, "www.example.com", "old.example.com"]
    world.add(a_site("bolt", domain="old.example.com"))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).reason == "HostTaken"
    world.edit(SITE, "acme", {"spec": {"redirects": None}})
    settle(world)
    assert world.condition("Ready", "bolt", SITE).ok
    assert maps(world)["redirects.map"] == ""


def test_the_bench_is_told_of_certificates_alone() -> None:
    """A status that changes otherwise has no bench reconciled: the sites of a bench are many."""
    world = a_tls_world(certificates.secret("shop", HOST), secretName="shop")
    before = len(world.writes)
    world.edit(SITE, "acme", {"status": {"frappeVersion": "0"}}, subresource="status")
    settle(world)
    assert not [write for write in world.writes[before:] if write.ref.kind == BENCH]
