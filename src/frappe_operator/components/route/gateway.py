"""The route type `Gateway`: HTTPRoutes of the Gateway API for each site, to the proxy of its bench."""

from frappe_operator.components import nginx
from frappe_operator.components.metadata import metadata
from frappe_operator.components.route import listeners
from frappe_operator.components.route.grants import GROUP, NOT_PERMITTED, missing_grant
from frappe_operator.components.route.ingress import seconds
from frappe_operator.components.route.listeners import unmet
from frappe_operator.kube.foreign import HttpRoute
from frappe_operator.kube.kinds import HTTP_ROUTE
from frappe_operator.kube.live import Condition
from frappe_operator.kube.names import child
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.route import Gateway
from frappe_operator.model.site import Site

MAX_HOSTS = 16
"""Most host names of one HTTPRoute."""
HINTS = {
    "NotAllowedByListeners": "the listeners of the Gateway do not accept routes from this namespace: its owner sets "
    "allowedRoutes.namespaces",
    "NoMatchingListenerHostname": "no listener of the Gateway is for these host names",
    "NoMatchingParent": "the Gateway has no such listener: correct gatewayRef.sectionName",
    "RuleMatchConflict": "another HTTPRoute has one of these host names, or, with Contour, two listeners are for one: "
    "name one of these in gatewayRef.sectionName",
}
"""What the reasons of a Gateway mean here. The message of the Gateway follows."""


def build(site: Site) -> list[Manifest]:
    """The HTTPRoutes of a site, as many as its host names need."""
    gateway = site.route.gateway
    return [] if gateway is None else [_route(site, gateway, *each) for each in _hosts_by_route(site).items()]


def listener_sets(site: Site) -> list[Manifest]:
    """A ListenerSet for each HTTPRoute, with the same name and hosts; none when the listeners of the Gateway have the
    certificate."""
    gateway = site.route.gateway
    if gateway is None or not site.listener_port:
        return []
    return [listeners.build(site, gateway, *each) for each in _hosts_by_route(site).items()]


def _hosts_by_route(site: Site) -> dict[str, tuple[str, ...]]:
    """The host names of each HTTPRoute, by its name."""
    owner, hosts = site.owner.name, site.domain.hosts
    parts = [hosts[start : start + MAX_HOSTS] for start in range(0, len(hosts), MAX_HOSTS)]
    return {owner if number == 1 else child(owner, f"route-{number}"): part for number, part in enumerate(parts, 1)}


def _route(site: Site, gateway: Gateway, name: str, hosts: tuple[str, ...]) -> Manifest:
    section = {"sectionName": gateway.section} if gateway.section else {}
    parents = [{**listeners.parent(gateway), **section}]
    if site.listener_port:
        own = {"group": GROUP, "kind": "ListenerSet", "namespace": site.owner.namespace, "name": name}
        parents.append(own)
    backend = {"group": "", "kind": "Service", "name": site.bench.nginx, "port": nginx.PORT, "weight": 1}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.kind,
        "metadata": metadata(site.owner, name, "ingress"),
        "spec": {
            # The listener for http is the Gateway's: cert-manager attaches its proof of a host name to it.
            "parentRefs": parents,
            "hostnames": list(hosts),
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [backend],
                    "timeouts": {"request": f"{seconds(site)}s"},
                }
            ],
        },
    }


def ready(live_children: LiveChildren) -> Verdict:
    """Whether the Gateway has accepted every HTTPRoute. ListenerSets concern the certificate: site/conditions has them
    in CertificateReady."""
    for live in live_children:
        if not isinstance(live, HttpRoute):
            return Verdict(False, Reason.PROVISIONING, "The objects are being created.")
        for parent in (each for each in live.spec.parent_refs if each.kind == "Gateway"):
            where = f"Gateway {parent.name} in namespace {parent.namespace}"
            # After a change, the entry of the previous Gateway stays.
            found = [each for each in live.status.parents if each.parent_ref == parent]
            if not found:
                message = f"{where} has not accepted the HTTPRoute yet: does it exist, and does a controller serve it?"
                return Verdict(False, FrappeReason.ROUTE_PENDING, message)
            for each in found:
                if condition := unmet(each.conditions, ("Accepted", "ResolvedRefs"), live.metadata.generation):
                    return _refused(where, live.metadata.namespace, condition)
    return Verdict(True, Reason.READY, "All objects exist.")


def _refused(where: str, namespace: str, condition: Condition) -> Verdict:
    if condition.status != "False":
        return Verdict(False, FrappeReason.ROUTE_PENDING, f"{where} has not accepted the HTTPRoute yet")
    hint = HINTS.get(condition.reason, condition.reason)
    if condition.reason == NOT_PERMITTED:
        # The proxy is in the namespace of its sites.
        hint = missing_grant("HTTPRoute", namespace, "Service", namespace)
    message = f"{where} does not accept the HTTPRoute: {hint}. It says: {condition.message}"
    return Verdict(False, FrappeReason.ROUTE_REFUSED, message, blocked=True)
