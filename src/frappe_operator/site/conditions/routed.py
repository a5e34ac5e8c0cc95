"""Routed: every host belongs to the site, and every proxy pod routes it to the site."""

from collections.abc import Callable

from frappe_operator.components.nginx import REFUSED
from frappe_operator.components.route import ROUTES, listeners
from frappe_operator.kube.kinds import INGRESS, Ref
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict, failed
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.site.checks import ROUTE_CHECKS
from frappe_operator.site.observe import Observed
from frappe_operator.site.probe import Responses


def hosts_are_free(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether every host of the site belongs to it, and its route is in effect as declared."""

    def ready(live_children: LiveChildren) -> Verdict:
        if taken := host_taken(site, observed):
            return taken
        verdict = ROUTES[site.route.type].ready(live_children)
        return next((problem for _, problem in failed(ROUTE_CHECKS, observed)), verdict) if verdict.ok else verdict

    return ready


def host_taken(site: Site, observed: Observed) -> Verdict | None:
    """The verdict on a host of the site that belongs to another site; None when there is none."""
    for host, key in observed.conflicting_hosts.items():
        # Names of objects in another namespace are not disclosed.
        owner = f"FrappeSite {key.name}" if key.namespace == site.owner.namespace else "another FrappeSite"
        message = f"{host} belongs to {owner}, which is older: choose another domain or alias"
        return Verdict(False, FrappeReason.HOST_TAKEN, message, blocked=True)
    return None


def route_of_before(site: Site, observed: Observed) -> list[Ref]:
    """The Ingress of a site that moves to a Gateway stays until the Gateway has accepted the HTTPRoute and presents the
    certificate, so that there is a way in at any time."""
    gateway, tls = site.route.gateway, observed.tls
    if gateway is None or observed.conflicting_hosts:
        return []
    accepted = ROUTES["Gateway"].ready([tls.http_route]).ok
    presented = site.tls is None or listeners.problem(site, gateway, tls.gateway, [tls.listener_set]) is None
    return [] if accepted and presented else [Ref(INGRESS, site.owner.namespace, site.owner.name)]


def probed(site: Site, responses: Responses | None) -> Verdict:
    """Whether every proxy pod routes every host to the site. `responses` is None when the proxies were not probed."""
    if responses is None:
        return Verdict(
            False, FrappeReason.ROUTE_NOT_SERVED, "The proxies are probed once a web pod of the site is ready"
        )
    if not responses.proxies:
        return Verdict(
            False, FrappeReason.ROUTE_NOT_SERVED, f"No proxy pod of FrappeBench {site.bench.bench} is ready yet"
        )
    for pod_and_host, answer in responses.proxies.items():
        if answer.body.strip() != site.site_name:
            pod, host = pod_and_host.split()
            message = f"Proxy pod {pod} does not route {host} yet"
            if answer.body.strip() == REFUSED:
                message = (
                    f"Proxy pod {pod} does not route {host}: nginx rejected entries of its maps; its log names them"
                )
            return Verdict(False, FrappeReason.ROUTE_NOT_SERVED, message)
    return already_routed(site)


def already_routed(site: Site) -> Verdict:
    """The verdict for a site that is not probed again, because its last probe succeeded."""
    return Verdict(True, Reason.READY, f"Every proxy pod routes {', '.join(site.domain.hosts)}.")
