"""Observes the certificate of a site, who issues it, and the Gateway that presents it."""

from typing import NamedTuple

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.components.certificate import name as certificate_name
from frappe_operator.kube.foreign import Gateway, HttpRoute, IssuedCertificate, ListenerSet
from frappe_operator.kube.kinds import CERTIFICATE, GATEWAY, HTTP_ROUTE, LISTENER_SET, SECRET
from frappe_operator.kube.objects import Key
from frappe_operator.kube.view import View
from frappe_operator.model import certificate, route, tls
from frappe_operator.model.bench import BenchOffer
from frappe_operator.model.certificate import Certificate


class ObservedTls(NamedTuple):
    """What is observed of the certificate of a site and of the Gateway of its route."""

    certificate: Certificate | None = None
    """The certificate of the site; None when its Secret does not exist, or the site has none."""
    issued: IssuedCertificate | None = None
    """The Certificate of cert-manager for it; None when there is none."""
    no_cert_manager: str = ""
    """What to do when the cluster has no cert-manager; empty when it has it, or the site does not need it."""
    http_route: HttpRoute | None = None
    """The first HTTPRoute of the site."""
    listener_set: ListenerSet | None = None
    """The first ListenerSet of the site."""
    gateway: Gateway | None = None
    """The Gateway of the route; None when the route has none, or the operator cannot read it."""
    no_listener_sets: str = ""
    """Why a site has no ListenerSet at that Gateway; empty when it may have one, or when the route has no Gateway."""

    @property
    def listener_port(self) -> int:
        """The port of the site's own listeners at the Gateway; 0 for none.

        There are none before there is a certificate: the Gateway's own listener may present one for all sites.
        """
        usable = self.certificate is not None and not self.certificate.problem
        if not usable or self.gateway is None or self.no_listener_sets:
            return 0
        return route.listener_port(self.gateway)


async def observe_tls(cluster: View, key: Key, spec: FrappeSiteSpec, bench: BenchOffer) -> ObservedTls:
    """Reads what the certificate of a site and its condition depend on."""
    declared = tls.of_site(bench.tls, spec.tls, key.name)
    decided = route.of_site(bench.ingress, spec.ingress, spec.ingress_class_name, key.namespace)
    observed = ObservedTls(http_route=cluster.get(HTTP_ROUTE, key.namespace, key.name))
    if declared is None:
        return observed
    if declared.secret:
        found = await cluster.body(SECRET, key.namespace, declared.secret, certificate.projected)
        observed = observed._replace(certificate=None if found is None else certificate.from_projected(found))
    if declared.issued:
        issued = cluster.get(CERTIFICATE, key.namespace, certificate_name(declared, decided.type, key.name))
        observed = observed._replace(issued=issued, no_cert_manager=cluster.not_installed(CERTIFICATE))
    if decided.gateway is None:
        return observed
    gateway = cluster.get(GATEWAY, decided.gateway.namespace, decided.gateway.name)
    return observed._replace(
        listener_set=cluster.get(LISTENER_SET, key.namespace, key.name),
        gateway=gateway,
        no_listener_sets=cluster.not_installed(LISTENER_SET) or route.no_listener_sets(gateway, key.namespace),
    )
