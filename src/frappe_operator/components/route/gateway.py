"""The route type `Gateway`: HTTPRoutes of the Gateway API for each site, to the proxy of its bench."""

from frappe_operator.components import nginx
from frappe_operator.components.metadata import metadata
from frappe_operator.components.route.ingress import seconds
from frappe_operator.kube.kinds import HTTP_ROUTE
from frappe_operator.kube.live import Condition, HttpRoute, ParentStatus
from frappe_operator.kube.names import child
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.route import Gateway
from frappe_operator.model.site import Site

MAX_HOSTS = 16
"""Most host names of one HTTPRoute."""
GROUP = "gateway.networking.k8s.io"
HINTS = {
    "NotAllowedByListeners": "the listeners of the Gateway do not accept routes from this namespace: its owner sets "
    "allowedRoutes.namespaces",
    "NoMatchingListenerHostname": "no listener of the Gateway is for these host names",
    "NoMatchingParent": "the Gateway has no such listener: correct gatewayRef.sectionName",
    "RefNotPermitted": "a ReferenceGrant is missing",
}
"""What the reasons of a Gateway mean here. The message of the Gateway follows."""


def build(site: Site) -> list[Manifest]:
    """The HTTPRoutes of a site: as many as its host names need."""
    if site.route.gateway is None:
        return []
    hosts = site.domain.hosts
    parts = [hosts[start : start + MAX_HOSTS] for start in range(0, len(hosts), MAX_HOSTS)]
    return [_route(site, site.route.gateway, number, part) for number, part in enumerate(parts)]


def _route(site: Site, gateway: Gateway, number: int, hosts: tuple[str, ...]) -> Manifest:
    name = site.owner.name if number == 0 else child(site.owner.name, f"route-{number + 1}")
    parent = {"group": GROUP, "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name}
    section = {"sectionName": gateway.section} if gateway.section else {}
    backend = {"group": "", "kind": "Service", "name": site.bench.nginx, "port": nginx.PORT, "weight": 1}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.kind,
        "metadata": metadata(site.owner, name, "ingress"),
        "spec": {
            "parentRefs": [{**parent, **section}],
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
    """Whether the Gateway has accepted every HTTPRoute."""
    for live in live_children:
        if not isinstance(live, HttpRoute):
            return Verdict(False, Reason.PROVISIONING, "The objects are being created.")
        for parent in live.spec.parent_refs:
            where = f"Gateway {parent.name} in namespace {parent.namespace}"
            # After a change, the entry of the previous Gateway stays.
            found = [each for each in live.status.parents if each.parent_ref == parent]
            if not found:
                message = f"{where} has not accepted the HTTPRoute yet: does it exist, and does a controller serve it?"
                return Verdict(False, FrappeReason.ROUTE_PENDING, message)
            if problem := _problem(found, live.metadata.generation):
                return _refused(where, problem)
    return Verdict(True, Reason.READY, "All objects exist.")


def _problem(found: list[ParentStatus], generation: int) -> Condition | None:
    """The first condition that keeps a route out of effect; None when every controller of the Gateway accepts it."""
    for parent in found:
        conditions = {each.type: each for each in parent.conditions}
        for kind in ("Accepted", "ResolvedRefs"):
            condition = conditions.get(kind, Condition(kind))
            if condition.status != "True" or condition.observed_generation < generation:
                return condition
    return None


def _refused(where: str, condition: Condition) -> Verdict:
    if condition.status != "False":
        return Verdict(False, FrappeReason.ROUTE_PENDING, f"{where} has not accepted the HTTPRoute yet")
    hint = HINTS.get(condition.reason, condition.reason)
    message = f"{where} does not accept the HTTPRoute: {hint}. It says: {condition.message}"
    return Verdict(False, FrappeReason.ROUTE_REFUSED, message, blocked=True)
