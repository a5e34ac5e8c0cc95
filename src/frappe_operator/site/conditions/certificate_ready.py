"""CertificateReady: the certificate of a site exists, is for its hosts, and has not expired; or none is needed."""

from collections.abc import Callable
from datetime import UTC, datetime

from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.certificate import SOON, Certificate
from frappe_operator.model.host import shown
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.model.tls import Tls
from frappe_operator.site.observe import Observed

NO_TLS = Verdict(True, Reason.NOT_NEEDED, "The site is reached over http.")


def ready(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """The verdict on the certificate. It holds up no stage: routes come first, because cert-manager proves by them
    that the hosts are the site's."""

    def verdict(_: LiveChildren) -> Verdict:
        if site.tls is None:
            return NO_TLS
        return _verdict(site, site.tls, observed.certificate, datetime.fromtimestamp(observed.time, UTC))

    return verdict


def _verdict(site: Site, tls: Tls, found: Certificate | None, now: datetime) -> Verdict:
    if not tls.secret:
        owner = "Gateway" if site.route.type == "Gateway" else "ingress controller or load balancer"
        return Verdict(True, Reason.READY, f"The certificate is that of the {owner}.")
    where = f"Secret {tls.secret}"
    if found is None and tls.issued:
        issuer = f"ClusterIssuer {tls.cluster_issuer}" if tls.cluster_issuer else f"Issuer {tls.issuer}"
        ask = f"kubectl describe certificate -n {site.owner.namespace} {tls.secret}"
        message = f"cert-manager has not written {where} yet, for {issuer}. What it waits for: {ask}"
        return Verdict(False, FrappeReason.CERTIFICATE_PENDING, message)
    if found is None:
        message = f"{where} does not exist: create it with the keys tls.crt and tls.key, or set tls.clusterIssuer"
        return Verdict(False, Reason.SECRET_NOT_FOUND, message, blocked=True)
    if found.problem:
        return Verdict(False, Reason.SECRET_INVALID, f"{where} {found.problem}", blocked=True)
    if others := found.uncovered(site.domain.hosts):
        message = f"The certificate in {where} is for {found.listed()}, and not for {', '.join(map(shown, others))}"
        # cert-manager issues it anew when the hosts change.
        return Verdict(False, FrappeReason.CERTIFICATE_INVALID, message, blocked=not tls.issued)
    end = found.not_after.strftime("%Y-%m-%d %H:%M UTC")
    if found.not_after <= now:
        message = f"The certificate in {where} has expired on {end}: {_renewal(site, tls)}"
        return Verdict(False, FrappeReason.CERTIFICATE_EXPIRED, message, blocked=True)
    if found.not_after - now <= SOON:
        return Verdict(True, Reason.READY, f"The certificate in {where} expires on {end}: {_renewal(site, tls)}")
    return Verdict(True, Reason.READY, f"The certificate in {where} is valid until {end}.")


def _renewal(site: Site, tls: Tls) -> str:
    """What to do about a certificate that expires."""
    if tls.issued:
        ask = f"kubectl describe certificate -n {site.owner.namespace} {tls.secret}"
        return f"cert-manager has not renewed it. What it waits for: {ask}"
    return f"put a new one into Secret {tls.secret}"


def changes_in(observed: Observed) -> float | None:
    """Seconds until the verdict changes by itself: when the certificate is about to expire, and when it expires."""
    if observed.certificate is None or observed.certificate.problem:
        return None
    end = observed.certificate.not_after.timestamp()
    times = [moment - observed.time for moment in (end - SOON.total_seconds(), end)]
    # The queue is not made for years.
    return next((min(max(each, 1.0), 86400.0) for each in times if each > 0), None)
