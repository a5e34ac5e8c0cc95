"""Certificates on demand: a site behind an Ingress and one behind a Gateway ask for them, and answer with them.

The player of cert-manager signs. Contour does not know ListenerSets: the Gateway's own listener has the Secret.
"""

import json
from collections.abc import Iterator

import pytest

from sandbox.addons.cert_manager_player import CertificateIssuer
from sandbox.addons.contour import IngressController
from tests.e2e.namespace import Namespace
from tests.e2e.test_front_door import ask

pytestmark = [pytest.mark.node]

BENCH = "quay"
HOST, ALIAS = "dock.harbour.test", "www-dock.harbour.test"
BEHIND_GATEWAY, LISTENER = "pier.harbour.test", "pier"
APPEARS_SECONDS = 120.0
"""How long the operator may take to notice a kind that was not installed, and a little more."""


@pytest.fixture(scope="module")
def harbour(certificate_issuer: CertificateIssuer, contour: IngressController, namespace: Namespace) -> Namespace:
    """A bench with two sites, whose certificates are issued by the player."""
    namespace.bench(
        BENCH,
        ingress={"className": contour.ingress_class},
        tls={"clusterIssuer": certificate_issuer.cluster_issuer},
    )
    gateway = {"name": contour.gateway_name, "namespace": contour.gateway_namespace}
    namespace.site("dock", BENCH, HOST)
    # Contour takes the route for one that is in conflict with itself when two listeners are for its host.
    own = {"type": "Gateway", "gatewayRef": {**gateway, "sectionName": LISTENER}}
    namespace.site("pier", BENCH, BEHIND_GATEWAY, ingress=own)
    return namespace


def names(namespace: Namespace, secret: str) -> set[str]:
    """The hosts for which the player has signed."""
    found = namespace.find("secret", secret)
    return set(found["metadata"]["annotations"]["cert-manager.io/alt-names"].split(",")) if found else set()


def answers(contour: IngressController, host: str) -> bool:
    """Whether a host answers over https with a certificate that is valid for it."""
    try:
        response, body = ask(contour, host, "/api/method/ping")
    except OSError:
        return False
    return (response.status, "pong" in body) == (200, True)


def test_an_ingress_has_its_certificate_and_another_one_when_the_hosts_change(
    harbour: Namespace, contour: IngressController
) -> None:
    harbour.until_ready("frappesite", "dock")
    assert names(harbour, "dock-tls") == {HOST}
    assert harbour.get("fs", "dock")["status"]["siteURL"] == f"https://{HOST}"
    harbour.until(lambda: answers(contour, HOST), "the site over https")
    harbour.site("dock", BENCH, HOST, aliases=[ALIAS])
    harbour.until(lambda: names(harbour, "dock-tls") == {HOST, ALIAS}, "the certificate to be issued anew")
    harbour.until_ready("frappesite", "dock")
    harbour.until(lambda: answers(contour, ALIAS), "the alias over https")


@pytest.fixture
def listener(harbour: Namespace, contour: IngressController) -> Iterator[None]:
    """A listener of the Gateway for the site, which names the Secret in the site's namespace."""

    def listeners(*entries: dict[str, object]) -> None:
        gateway = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": contour.gateway_name, "namespace": contour.gateway_namespace},
            "spec": {"listeners": list(entries)},
        }
        apply = ("apply", "--server-side", "--field-manager=test-certificates", "-f", "-")
        harbour.kubectl(*apply, given=json.dumps(gateway))

    refs = [{"name": "pier-tls", "namespace": harbour.name}]
    harbour.until(lambda: names(harbour, "pier-tls") == {BEHIND_GATEWAY}, "the certificate", APPEARS_SECONDS)
    listeners(
        {
            "name": LISTENER,
            "protocol": "HTTPS",
            "port": 443,
            "hostname": BEHIND_GATEWAY,
            "tls": {"mode": "Terminate", "certificateRefs": refs},
            "allowedRoutes": {"namespaces": {"from": "All"}},
        }
    )
    yield
    listeners()


@pytest.mark.usefixtures("listener")
def test_a_gateway_presents_the_certificate_of_a_site_once_it_may_read_it(
    harbour: Namespace, contour: IngressController
) -> None:
    asked = harbour.get("certificate", "pier-certificate")["spec"]
    assert (asked["secretName"], asked["dnsNames"]) == ("pier-tls", [BEHIND_GATEWAY])

    def certificate() -> dict[str, str]:
        return harbour.condition("fs", "pier", "CertificateReady")

    harbour.until(lambda: certificate()["reason"] == "ListenerRefused", "the missing grant to be said")
    grant = f"create a ReferenceGrant in namespace {harbour.name} that allows kind Gateway"
    assert grant in certificate()["message"]
    source = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": contour.gateway_namespace,
    }
    target = {"group": "", "kind": "Secret", "name": "pier-tls"}
    harbour.kubectl.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "ReferenceGrant",
            "metadata": {"namespace": harbour.name, "name": "certificates"},
            "spec": {"from": [source], "to": [target]},
        }
    )
    harbour.until_ready("frappesite", "pier")
    harbour.until(lambda: answers(contour, BEHIND_GATEWAY), "the site over https")
