"""Certificates of sites behind a Gateway: who issues them, which listener presents them, and what is missing."""

from typing import Any

import pytest

from fakecluster import certificates
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import (
    CERTIFICATE,
    GATEWAY,
    HTTP_ROUTE,
    INGRESS,
    LISTENER_SET,
    SECRET,
    Kind,
    Ref,
)
from frappe_operator.kube.objects import Manifest
from tests.world.test_gateway import answers
from tests.world.test_tls import HOST, maps

BEHIND = {"type": "Gateway", "gatewayRef": {"name": "public", "namespace": "gateways"}}
ALL_KINDS = (CERTIFICATE, GATEWAY, HTTP_ROUTE, LISTENER_SET)
TIME = "2026-01-01T00:00:00Z"


def a_gateway(accepts: str = "All", **tls: Any) -> Manifest:
    """A Gateway with the listeners `http` and `https`, which accepts ListenerSets from these namespaces."""
    listeners: list[Manifest] = [
        {"name": "http", "port": 80, "protocol": "HTTP"},
        {"name": "https", "port": 8443, "protocol": "HTTPS", "tls": {"mode": "Terminate", **tls}},
    ]
    spec = {"listeners": listeners, "allowedListeners": {"namespaces": {"from": accepts}}}
    return {
        "apiVersion": GATEWAY.api_version,
        "kind": "Gateway",
        "metadata": {"namespace": "gateways", "name": "public"},
        "spec": spec,
    }


def a_secure_world(
    *more: Manifest, gateway: Manifest | None = None, kinds: tuple[Kind, ...] = ALL_KINDS, **site: Any
) -> World:
    """The site acme behind the Gateway, whose controller has accepted its HTTPRoute, with a certificate of an issuer
    unless `site` says otherwise."""
    gateways = [gateway or a_gateway()] if GATEWAY in kinds else []
    tls = {"tls": {"clusterIssuer": "letsencrypt"}, **site}
    world = a_world(a_bench(ingress=BEHIND), a_site("acme", **tls), *gateways, *more, more_kinds=kinds)
    settle(world)
    answers(world)
    return world


def says(world: World, kind: Kind, name: str, **conditions: tuple[str, str, str]) -> None:
    """A controller writes conditions: by type, status, reason and message."""
    live = world.get_existing(Ref(kind, "default", name))
    status = {"conditions": _conditions(live, conditions)}
    world.edit(kind, name, {"status": status}, subresource="status")
    settle(world)


def listener_says(world: World, name: str, message: str, **conditions: tuple[str, str]) -> None:
    """The controller of the Gateway writes conditions of one of its listeners."""
    live = world.get_existing(Ref(GATEWAY, "gateways", "public"))
    found = _conditions(live, {kind: (*each, message) for kind, each in conditions.items()})
    status = {"listeners": [{"name": name, "attachedRoutes": 1, "supportedKinds": [], "conditions": found}]}
    world.edit(GATEWAY, "public", {"status": status}, namespace="gateways", subresource="status")
    settle(world)


def _conditions(live: Manifest, conditions: dict[str, tuple[str, str, str]]) -> list[Manifest]:
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": live["metadata"]["generation"],
            "lastTransitionTime": TIME,
        }
        for kind, (status, reason, message) in conditions.items()
    ]


def issued(world: World, *hosts: str) -> None:
    """cert-manager writes the Secret."""
    if world.get(SECRET, "acme-tls") is not None:
        world.delete(SECRET, "acme-tls")
    world.add(certificates.secret("acme-tls", *hosts))
    settle(world)


def programmed(world: World, name: str = "acme") -> None:
    """The controller of the Gateway serves the ListenerSet."""
    says(world, LISTENER_SET, name, Accepted=("True", "Accepted", ""), Programmed=("True", "Programmed", ""))


def test_the_operator_asks_cert_manager_and_the_gateway_for_all_that_https_needs() -> None:
    world = a_secure_world(aliases=["www.example.com"])
    certificate = world.get_existing(Ref(CERTIFICATE, "default", "acme-certificate"))
    assert certificate["spec"] == {
        "secretName": "acme-tls",
        "dnsNames": [HOST, "www.example.com"],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "letsencrypt"},
    }
    assert world.condition("CertificateReady", "acme", SITE).reason == "CertificatePending"
    assert world.get(LISTENER_SET, "acme") is None, "until there is a certificate, the Gateway's listener may have one"
    issued(world, HOST, "www.example.com")
    assert world.condition("CertificateReady", "acme", SITE).reason == "ListenerPending"
    assert maps(world)["https.map"] == ""
    spec = world.get_existing(Ref(LISTENER_SET, "default", "acme"))["spec"]
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "gateways", "name": "public"}
    assert spec["parentRef"] == gateway
    first = spec["listeners"][0]
    assert (first["hostname"], first["port"], first["protocol"]) == (HOST, 8443, "HTTPS")
    assert first["tls"]["certificateRefs"] == [{"group": "", "kind": "Secret", "name": "acme-tls"}]
    parents = world.get_existing(Ref(HTTP_ROUTE, "default", "acme"))["spec"]["parentRefs"]
    assert [parent["kind"] for parent in parents] == ["Gateway", "ListenerSet"]
    answers(world)
    programmed(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert maps(world)["https.map"] == f"{HOST} https;\nwww.example.com https;\n"
    world.assert_no_writes(600)


def test_a_listener_set_that_the_gateway_refuses_is_said_with_what_to_do() -> None:
    world = a_secure_world(certificates.secret("acme-tls", HOST), gateway=a_gateway("Selector"))
    words = "no selector matches"
    says(world, LISTENER_SET, "acme", Accepted=("False", "NotAllowed", words), Programmed=("False", "Invalid", ""))
    refused = world.condition("CertificateReady", "acme", SITE)
    assert refused.reason == "ListenerRefused"
    assert "allowedListeners" in refused.message
    assert words in refused.message
    assert world.condition("Routed", "acme", SITE).ok, "visitors come over http"
    assert maps(world)["https.map"] == ""
    answers(world)
    programmed(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_listeners_of_many_hosts_are_in_several_sets() -> None:
    aliases = [f"a{number}.example.com" for number in range(20)]
    world = a_secure_world(certificates.secret("acme-tls", "*.example.com"), aliases=aliases)
    answers(world, name="acme-route-2")
    programmed(world)
    assert world.condition("CertificateReady", "acme", SITE).reason == "ListenerPending"
    programmed(world, "acme-route-2")
    assert world.condition("CertificateReady", "acme", SITE).ok
    sets = [world.get_existing(Ref(LISTENER_SET, "default", name)) for name in ("acme", "acme-route-2")]
    assert [len(each["spec"]["listeners"]) for each in sets] == [16, 5]
    world.edit(SITE, "acme", {"spec": {"tls": None}})
    settle(world)
    assert world.get(LISTENER_SET, "acme") is None
    assert world.get(CERTIFICATE, "acme-certificate") is None
    assert world.get(SECRET, "acme-tls") is not None


@pytest.mark.parametrize(
    ("gateway", "kinds", "why"),
    [
        (a_gateway("None"), ALL_KINDS, "accepts none from namespace default (allowedListeners)"),
        (a_gateway("Same"), ALL_KINDS, "accepts none from namespace default (allowedListeners)"),
        (None, (CERTIFICATE, GATEWAY, HTTP_ROUTE), "ListenerSet (gateway.networking.k8s.io/v1) is not installed"),
        (None, (CERTIFICATE, HTTP_ROUTE, LISTENER_SET), "the operator cannot read the Gateway"),
    ],
)
def test_without_a_listener_set_the_gateway_presents_the_certificate(
    gateway: Manifest | None, kinds: tuple[Kind, ...], why: str
) -> None:
    world = a_secure_world(certificates.secret("acme-tls", HOST), gateway=gateway, kinds=kinds)
    found = world.condition("CertificateReady", "acme", SITE)
    assert (found.ok, why in found.message) == (True, True), found.message
    assert world.get(LISTENER_SET, "acme") is None
    parents = world.get_existing(Ref(HTTP_ROUTE, "default", "acme"))["spec"]["parentRefs"]
    assert [parent["kind"] for parent in parents] == ["Gateway"]
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_the_reference_grant_that_a_listener_needs_is_named() -> None:
    refs = [{"name": "acme-tls", "namespace": "default"}, {"name": "internal", "namespace": "certificates"}]
    secret = certificates.secret("acme-tls", HOST)
    world = a_secure_world(secret, gateway=a_gateway("None", certificateRefs=refs))
    assert world.condition("Ready", "acme", SITE).ok
    listener_says(world, "https", "Secret certificates/internal", ResolvedRefs=("False", "RefNotPermitted"))
    refused = world.condition("CertificateReady", "acme", SITE)
    assert refused.reason == "ListenerRefused"
    grant = "create a ReferenceGrant in namespace default that allows kind Gateway of group gateway.networking.k8s.io"
    assert f"{grant} in namespace gateways to refer to Secret acme-tls" in refused.message
    assert "ReferenceGrant in namespace certificates" in refused.message
    assert "internal" not in refused.message, "objects in other namespaces are not disclosed"
    assert maps(world)["https.map"] == ""
    listener_says(world, "https", "", ResolvedRefs=("True", "ResolvedRefs"))
    assert world.condition("Ready", "acme", SITE).ok
    assert "certificateRefs" not in world.condition("CertificateReady", "acme", SITE).message


def test_of_several_listeners_the_one_that_fits_best_counts() -> None:
    gateway = a_gateway("None", certificateRefs=[{"name": "wild"}])
    tls = {"certificateRefs": [{"name": "acme-tls", "namespace": "default"}]}
    for name, hostname in (("wildcard", "*.example.com"), ("own", HOST)):
        own = {"name": name, "port": 8443, "protocol": "HTTPS", "hostname": hostname, "tls": tls}
        gateway["spec"]["listeners"].append(own)
    world = a_secure_world(certificates.secret("acme-tls", HOST), gateway=gateway)
    for name, ok in (("https", True), ("wildcard", True), ("own", False)):
        listener_says(world, name, "", ResolvedRefs=("False", "RefNotPermitted"))
        assert world.condition("CertificateReady", "acme", SITE).ok == ok


def test_a_route_that_may_not_refer_to_the_proxy_names_the_grant() -> None:
    world = a_secure_world(tls=None)
    live = world.get_existing(Ref(HTTP_ROUTE, "default", "acme"))
    conditions = _conditions(
        live, {"Accepted": ("True", "Accepted", ""), "ResolvedRefs": ("False", "RefNotPermitted", "no grant")}
    )
    parents = [{**each, "conditions": conditions} for each in live["status"]["parents"]]
    world.edit(HTTP_ROUTE, "acme", {"status": {"parents": parents}}, subresource="status")
    settle(world)
    refused = world.condition("Routed", "acme", SITE)
    grant = "create a ReferenceGrant in namespace default that allows kind HTTPRoute of group gateway.networking.k8s.io"
    assert (refused.reason, grant in refused.message) == ("RouteRefused", True), refused.message


def test_what_cert_manager_says_is_told() -> None:
    world = a_secure_world()
    says(
        world,
        CERTIFICATE,
        "acme-certificate",
        Ready=("False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
        Issuing=("True", "DoesNotExist", ""),
    )
    pending = world.condition("CertificateReady", "acme", SITE)
    assert pending.reason == "CertificatePending"
    assert "It says: Issuing certificate as Secret does not exist." in pending.message
    assert "kubectl describe certificate -n default acme-certificate" in pending.message
    says(
        world,
        CERTIFICATE,
        "acme-certificate",
        Ready=("False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
        Issuing=("False", "Failed", "The certificate request has failed: order is in state invalid"),
    )
    failed = world.condition("CertificateReady", "acme", SITE)
    assert (failed.reason, "order is in state invalid" in failed.message) == ("CertificateFailed", True)
    issued(world, HOST)
    programmed(world)
    assert world.condition("CertificateReady", "acme", SITE).ok


def test_a_host_that_is_added_gets_a_new_certificate() -> None:
    world = a_secure_world(certificates.secret("acme-tls", HOST))
    programmed(world)
    world.edit(SITE, "acme", {"spec": {"aliases": ["www.example.com"]}})
    settle(world)
    waits = world.condition("CertificateReady", "acme", SITE)
    assert (waits.reason, "issues it anew" in waits.message) == ("CertificateInvalid", True)
    certificate = world.get_existing(Ref(CERTIFICATE, "default", "acme-certificate"))
    assert certificate["spec"]["dnsNames"] == [HOST, "www.example.com"]
    issued(world, HOST, "www.example.com")
    answers(world)
    programmed(world)
    assert world.condition("Ready", "acme", SITE).ok


def test_for_an_ingress_cert_manager_makes_the_certificate_and_its_words_are_told() -> None:
    tls = {"clusterIssuer": "letsencrypt"}
    world = a_world(a_bench(), a_site("acme", tls=tls), a_gateway(), more_kinds=ALL_KINDS)
    settle(world)
    assert world.get(CERTIFICATE, "acme-certificate") is None
    ingress = world.get_existing(Ref(INGRESS, "default", "acme"))
    owner = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "acme", "uid": ingress["metadata"]["uid"]}
    meta = {"name": "acme-tls", "labels": ingress["metadata"]["labels"]}
    made = {
        "apiVersion": CERTIFICATE.api_version,
        "kind": "Certificate",
        "metadata": {**meta, "ownerReferences": [{**owner, "controller": True}]},
        "spec": {"secretName": "acme-tls"},
    }
    world.add(made)
    says(world, CERTIFICATE, "acme-tls", Ready=("False", "Pending", "waiting for the challenge"))
    assert "It says: waiting for the challenge." in world.condition("CertificateReady", "acme", SITE).message
    assert world.get(CERTIFICATE, "acme-tls") is not None, "it is not the operator's to delete"
    issued(world, HOST)
    world.edit(SITE, "acme", {"spec": {"ingress": BEHIND}})
    settle(world)
    assert world.get(CERTIFICATE, "acme-certificate") is not None
    answers(world)
    programmed(world)
    assert world.get(INGRESS, "acme") is None


def test_the_ingress_stays_until_the_gateway_presents_the_certificate() -> None:
    site = a_site("acme", tls={"secretName": "acme-tls"})
    world = a_world(a_bench(), site, a_gateway(), certificates.secret("acme-tls", HOST), more_kinds=ALL_KINDS)
    settle(world)
    world.edit(SITE, "acme", {"spec": {"ingress": BEHIND}})
    settle(world)
    answers(world)
    assert world.get(INGRESS, "acme") is not None
    programmed(world)
    assert world.get(INGRESS, "acme") is None
    assert world.condition("Ready", "acme", SITE).ok


def test_what_a_gateway_says_of_secrets_in_other_namespaces_is_not_repeated() -> None:
    world = a_secure_world(tls={"enabled": True}, gateway=a_gateway("None", certificateRefs=[{"name": "wild"}]))
    assert world.condition("Ready", "acme", SITE).ok
    listener_says(world, "https", "Secret wild not found", ResolvedRefs=("False", "InvalidCertificateRef"))
    refused = world.condition("CertificateReady", "acme", SITE)
    assert refused.reason == "ListenerRefused"
    assert "Listener https of Gateway public in namespace gateways has no certificate" in refused.message
    assert "wild" not in refused.message


def test_who_routes_himself_gets_the_certificate() -> None:
    world = a_world(a_bench(), a_site("acme", tls={"issuer": "ca"}, ingress={"type": "None"}), more_kinds=[CERTIFICATE])
    settle(world)
    reference = world.get_existing(Ref(CERTIFICATE, "default", "acme-certificate"))["spec"]["issuerRef"]
    assert (reference["kind"], reference["name"]) == ("Issuer", "ca")
    issued(world, HOST)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_gateway_without_cert_manager_is_told_what_to_install() -> None:
    world = a_secure_world(kinds=(GATEWAY, HTTP_ROUTE, LISTENER_SET))
    missing = world.condition("CertificateReady", "acme", SITE)
    assert (missing.reason, "install cert-manager" in missing.message) == ("NotInstalled", True)
    assert world.condition("Routed", "acme", SITE).ok


def test_no_certificate_is_asked_for_a_host_that_belongs_to_another_site() -> None:
    world = a_secure_world()
    world.add(a_site("bolt", domain=HOST, tls={"clusterIssuer": "letsencrypt"}))
    settle(world)
    assert world.condition("Ready", "bolt", SITE).reason == "HostTaken"
    assert world.get(CERTIFICATE, "bolt-certificate") is None
    world.add(certificates.secret("bolt-tls", HOST))
    settle(world)
    assert world.get(LISTENER_SET, "bolt") is None


def test_the_gateway_decides_anew_when_it_changes() -> None:
    world = a_secure_world(certificates.secret("acme-tls", HOST), gateway=a_gateway("None"))
    assert world.get(LISTENER_SET, "acme") is None
    allowed = {"spec": {"allowedListeners": {"namespaces": {"from": "All"}}}}
    world.edit(GATEWAY, "public", allowed, namespace="gateways")
    settle(world)
    assert world.get(LISTENER_SET, "acme") is not None
    world.delete(GATEWAY, "public", namespace="gateways")
    settle(world)
    assert world.get(LISTENER_SET, "acme") is None
