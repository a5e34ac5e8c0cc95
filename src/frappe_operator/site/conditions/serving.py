"""Serving: a ping through the proxy, with the host of the site, is answered with 200."""

from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.site.probe import PING, Answers

WHY = {
    500: "Frappe fails, most often because its database rejects it; see the log of container gunicorn",
    502: "the web pods do not respond",
    503: "Frappe is in maintenance mode (end it with `set-maintenance-mode off`) or is being updated",
    504: "the web pods take too long to respond",
}
"""By status of an answer, what it most likely means."""


def probed(site: Site, answers: Answers | None) -> Verdict:
    """Frappe answers a ping that comes the way a visitor does."""
    if site.sizes["gunicorn"].replicas == 0:
        # Whoever asks may still be answered by a pod that is about to end.
        message = f"{site.url} has no web server, because componentReplicas.gunicorn is 0: set it to 1 or more"
        return Verdict(False, FrappeReason.NOT_ANSWERING, message, blocked=True)
    if answers is None or answers.ping is None:
        return Verdict(False, FrappeReason.NOT_ANSWERING, f"{site.url} is probed once a web pod of the site is ready")
    if answers.ping.status != 200:
        status = answers.ping.status
        said = f"HTTP {status}" if status else answers.ping.body
        why = f": {WHY[status]}" if status in WHY else ""
        return Verdict(False, FrappeReason.NOT_ANSWERING, f"{site.url}{PING} does not return 200: {said}{why}")
    return known(site)


def known(site: Site) -> Verdict:
    """The verdict of a site that was found serving before."""
    return Verdict(True, Reason.READY, f"{site.url} responds.")
