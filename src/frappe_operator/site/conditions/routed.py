"""Routed: every host is the site's own, and every proxy pod routes it to the site."""

from collections.abc import Callable

from frappe_operator.components.nginx import REFUSED
from frappe_operator.components.route import ROUTES
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Lives, Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed
from frappe_operator.site.probe import Answers


def hosts_are_free(site: Site, observed: Observed) -> Callable[[Lives], Verdict]:
    """Every host is the site's."""

    def ready(lives: Lives) -> Verdict:
        for host, key in observed.taken.items():
            # Another namespace's names are not this one's business.
            owner = f"FrappeSite {key.name}" if key.namespace == site.owner.namespace else "another FrappeSite"
            message = f"{host} belongs to {owner}, which is older: choose another domain or alias"
            return Verdict(False, FrappeReason.HOST_TAKEN, message, blocked=True)
        return ROUTES[site.route.type].ready(lives)

    return ready


def probed(site: Site, answers: Answers | None) -> Verdict:
    """Every proxy knows every host."""
    if answers is None:
        return Verdict(
            False, FrappeReason.ROUTE_NOT_SERVED, "The proxies are probed once a web pod of the site is ready"
        )
    if not answers.proxies:
        return Verdict(
            False, FrappeReason.ROUTE_NOT_SERVED, f"No proxy pod of FrappeBench {site.bench.bench} is ready yet"
        )
    for where, answer in answers.proxies.items():
        if answer.body.strip() != site.site_name:
            pod, host = where.split()
            message = f"Proxy pod {pod} does not route {host} yet"
            if answer.body.strip() == REFUSED:
                message = (
                    f"Proxy pod {pod} does not route {host}: nginx rejected entries of its maps; its log names them"
                )
            return Verdict(False, FrappeReason.ROUTE_NOT_SERVED, message)
    return known(site)


def known(site: Site) -> Verdict:
    """The verdict of a site that was found routed before."""
    return Verdict(True, Reason.READY, f"Every proxy pod routes {', '.join(site.domain.hosts)}.")
