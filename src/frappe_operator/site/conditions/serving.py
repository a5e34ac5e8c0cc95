"""Serving: a ping through the proxy, with the host of the site, is answered with 200."""

from frappe_operator.components.pages import NO_ANSWER
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.site.probe import PING, Responses

WHY = {
    500: "Frappe fails, most often because its database rejects it; see the log of container gunicorn",
    503: "Frappe is in maintenance mode (end it with `set-maintenance-mode off`) or is being updated",
    504: "the web pods take too long to respond",
}
"""The most likely cause, by HTTP status."""


def probed(site: Site, responses: Responses | None) -> Verdict:
    """Whether Frappe answers a ping that is sent through the proxy. `responses` is None when the site was not
    probed."""
    if site.sizes["gunicorn"].replicas == 0:
        # A pod that is being terminated may still answer.
        message = f"{site.url} has no web server, because componentReplicas.gunicorn is 0: set it to 1 or more"
        return Verdict(False, FrappeReason.NOT_ANSWERING, message, blocked=True)
    if responses is None or responses.ping is None:
        return Verdict(False, FrappeReason.NOT_ANSWERING, f"{site.url} is probed once a web pod of the site is ready")
    if responses.ping.status != 200:
        status = responses.ping.status
        result = f"HTTP {status}" if status else responses.ping.body
        why = f": {WHY[status]}" if status in WHY else ""
        if status == 503 and NO_ANSWER in responses.ping.body:
            why = ": the web pods do not respond"
        return Verdict(False, FrappeReason.NOT_ANSWERING, f"{site.url}{PING} does not return 200: {result}{why}")
    return already_serving(site)


def already_serving(site: Site) -> Verdict:
    """The verdict for a site that is not probed again, because its last probe succeeded, or during an upgrade."""
    if site.upgrade is not None and site.upgrade.stops_web:
        message = f"{site.url} shows the maintenance page until the upgrade to {site.target.reference} is done"
        return Verdict(False, FrappeReason.UPGRADING, message)
    return Verdict(True, Reason.READY, f"{site.url} responds.")
