"""Routed: every host belongs to the site, and every proxy pod routes it to the site."""

from collections.abc import Callable

from frappe_operator.components import gunicorn
from frappe_operator.components.nginx import REFUSED
from frappe_operator.components.route import ROUTES, listeners
from frappe_operator.kube.kinds import INGRESS, Ref
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict, failed
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.host import is_wildcard, shown
from frappe_operator.model.host_claims import HostClaim
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.site.checks import ROUTE_CHECKS
from frappe_operator.site.generated_secrets import is_created
from frappe_operator.site.observe import Observed
from frappe_operator.site.probe import Responses

BEFORE = [SiteCondition.SITE_CREATED]
"""Conditions that Service and route wait for: work that is done once and stays done. If they waited for the health of a
server, what is deleted while the server is down would not be created again until it is up."""


def hosts_are_free(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether every host of the site belongs to it, and its route is in effect as declared."""

    def ready(live_children: LiveChildren) -> Verdict:
        if taken := host_taken(site, observed):
            return taken
        verdict = ROUTES[site.route.type].ready(live_children)
        return next((problem for _, problem in failed(ROUTE_CHECKS, observed)), verdict) if verdict.ok else verdict

    return ready


def web_service(site: Site, observed: Observed) -> Stage:
    """The stage of the Service to which the proxies route. It waits for what the route waits for; the pods wait for it,
    because they are built with its address."""
    exists = Verdict(True, Reason.READY, f"Service {site.names.gunicorn} exists.")
    # Nobody has to wait for the site to hear that one of its hosts is taken.
    later = bool(observed.conflicting_hosts) and not observed.service_ip and not is_created(observed)
    return Stage(SiteCondition.ROUTED, [] if later else gunicorn.web_service(site), lambda _: exists, after=BEFORE)


def host_taken(site: Site, observed: Observed) -> Verdict | None:
    """The verdict on a host of the site that belongs to another site; None when there is none."""
    for host, claim in observed.conflicting_hosts.items():
        return Verdict(False, FrappeReason.HOST_TAKEN, _taken(site, host, claim), blocked=True)
    return None


def _taken(site: Site, host: str, claim: HostClaim) -> str:
    """The message about a host that belongs to another site."""
    # Names of objects in another namespace are not disclosed, nor is a host inside a wildcard host.
    near = claim.key.namespace == site.owner.namespace
    owner = f"FrappeSite {claim.key.name}" if near else "another FrappeSite"
    what = shown(host)
    if is_wildcard(claim.host) and not is_wildcard(host):
        what = f"{what} is inside {shown(claim.host)}, which"
    elif is_wildcard(host) and not is_wildcard(claim.host):
        what = f"{shown(claim.host) if near else 'a host'} inside {what}"
    return f"{what} belongs to {owner}, which had it first: choose another domain or alias"


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
            message = f"Proxy pod {pod} does not route {shown(host)} yet"
            if answer.body.strip() == REFUSED:
                message = (
                    f"Proxy pod {pod} does not route {shown(host)}: nginx rejected entries of its maps; its log names "
                    "them"
                )
            return Verdict(False, FrappeReason.ROUTE_NOT_SERVED, message)
    return already_routed(site)


def already_routed(site: Site) -> Verdict:
    """The verdict for a site that is not probed again, because its last probe succeeded."""
    return Verdict(True, Reason.READY, f"Every proxy pod routes {', '.join(map(shown, site.domain.hosts))}.")
