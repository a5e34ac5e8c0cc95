"""CertificateReady: the certificate of a site exists, is for its hosts, and has not expired; or none is needed."""

from collections.abc import Callable
from datetime import UTC, datetime

from frappe_operator.components.certificate import name as certificate_name
from frappe_operator.components.route import listeners
from frappe_operator.kube.live import Condition
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.certificate import SOON
from frappe_operator.model.host import shown
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.model.tls import Tls
from frappe_operator.site.conditions.routed import host_taken
from frappe_operator.site.observe import Observed
from frappe_operator.site.observe_tls import ObservedTls

NO_TLS = Verdict(True, Reason.NOT_NEEDED, "The site is reached over http.")


def ready(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """The verdict on the certificate. It holds up no route: routes come first, because cert-manager proves by them
    that the hosts are the site's."""

    def verdict(_: LiveChildren) -> Verdict:
        if site.tls is None:
            return NO_TLS
        # Nobody is asked for a certificate for the hosts of another site.
        if site.tls.issued and (taken := host_taken(site, observed)):
            return taken
        return _verdict(site, site.tls, observed.tls, datetime.fromtimestamp(observed.time, UTC))

    return verdict


def presented(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """The verdict on the certificate and on the listeners of the Gateway that present it: those of the site's
    ListenerSets, which are the live children, or the Gateway's own."""

    def verdict(live_children: LiveChildren) -> Verdict:
        found = ready(site, observed)(())
        gateway, live = site.route.gateway, observed.tls.gateway
        if site.tls is None or gateway is None or not found.ok:
            return found
        if problem := listeners.problem(site, gateway, live, live_children):
            return problem
        secret = site.tls.secret
        if (
            site.listener_port
            or not secret
            or (live is not None and listeners.presents(live, site.owner.namespace, secret))
        ):
            return found
        where = listeners.named(gateway)
        more = f"{where} presents it once certificateRefs of a listener name the Secret. The site has no ListenerSet"
        return found._replace(message=f"{found.message} {more}: {observed.tls.no_listener_sets}")

    return verdict


def _verdict(site: Site, tls: Tls, observed: ObservedTls, now: datetime) -> Verdict:
    found = observed.certificate
    if not tls.secret:
        owner = "Gateway" if site.route.type == "Gateway" else "ingress controller or load balancer"
        return Verdict(True, Reason.READY, f"The certificate is that of the {owner}.")
    where = f"Secret {tls.secret}"
    if found is None and tls.issued:
        return _not_issued(site, tls, observed, where)
    if found is None:
        message = f"{where} does not exist: create it with the keys tls.crt and tls.key, or set tls.clusterIssuer"
        return Verdict(False, Reason.SECRET_NOT_FOUND, message, blocked=True)
    if found.problem:
        return Verdict(False, Reason.SECRET_INVALID, f"{where} {found.problem}", blocked=True)
    if others := found.uncovered(site.domain.hosts):
        message = f"The certificate in {where} is for {found.listed()}, and not for {', '.join(map(shown, others))}"
        if not tls.issued:
            return Verdict(False, FrappeReason.CERTIFICATE_INVALID, message, blocked=True)
        message = f"{message}: cert-manager issues it anew. {_waits_for(site, tls, observed)}"
        if _has_failed(observed):
            return Verdict(False, FrappeReason.CERTIFICATE_FAILED, message, blocked=True)
        return Verdict(False, FrappeReason.CERTIFICATE_INVALID, message)
    end = found.not_after.strftime("%Y-%m-%d %H:%M UTC")
    if found.not_after <= now:
        message = f"The certificate in {where} has expired on {end}: {_renewal(site, tls, observed)}"
        return Verdict(False, FrappeReason.CERTIFICATE_EXPIRED, message, blocked=True)
    if found.not_after - now <= SOON:
        message = f"The certificate in {where} expires on {end}: {_renewal(site, tls, observed)}"
        return Verdict(True, Reason.READY, message)
    return Verdict(True, Reason.READY, f"The certificate in {where} is valid until {end}.")


def _not_issued(site: Site, tls: Tls, observed: ObservedTls, where: str) -> Verdict:
    """The verdict on a Secret that cert-manager has not written."""
    if observed.no_cert_manager:
        return Verdict(False, Reason.NOT_INSTALLED, observed.no_cert_manager, blocked=True)
    issuer = f"ClusterIssuer {tls.cluster_issuer}" if tls.cluster_issuer else f"Issuer {tls.issuer}"
    message = f"cert-manager has not written {where} yet, for {issuer}. {_waits_for(site, tls, observed)}"
    if _has_failed(observed):
        return Verdict(False, FrappeReason.CERTIFICATE_FAILED, message, blocked=True)
    return Verdict(False, FrappeReason.CERTIFICATE_PENDING, message)


def _renewal(site: Site, tls: Tls, observed: ObservedTls) -> str:
    """What to do about a certificate that expires."""
    if tls.issued:
        return f"cert-manager has not renewed it. {_waits_for(site, tls, observed)}"
    return f"put a new one into Secret {tls.secret}"


def _waits_for(site: Site, tls: Tls, observed: ObservedTls) -> str:
    """What cert-manager says, and how to find out more."""
    name = certificate_name(tls, site.route.type, site.owner.name)
    ask = f"What it waits for: kubectl describe certificate -n {site.owner.namespace} {name}"
    conditions = _conditions(observed)
    # While cert-manager tries again, the message of the last failure is gone.
    says = conditions.get("Issuing" if _has_failed(observed) else "Ready")
    if says is None or says.status == "True" or not says.message:
        return ask
    return f"It says: {says.message.rstrip('.')}. {ask}"


def _has_failed(observed: ObservedTls) -> bool:
    """Whether the last attempt of cert-manager to issue the certificate has failed, and it pauses."""
    issuing = _conditions(observed).get("Issuing")
    return issuing is not None and issuing.status == "False" and issuing.reason == "Failed"


def _conditions(observed: ObservedTls) -> dict[str, Condition]:
    return {each.type: each for each in observed.issued.status.conditions} if observed.issued else {}


def changes_in(observed: Observed) -> float | None:
    """Seconds until the verdict changes by itself: when the certificate is about to expire, and when it expires."""
    found = observed.tls.certificate
    if found is None or found.problem:
        return None
    end = found.not_after.timestamp()
    times = [moment - observed.time for moment in (end - SOON.total_seconds(), end)]
    # The queue is not made for years.
    return next((min(max(each, 1.0), 86400.0) for each in times if each > 0), None)
