"""TLS of a site: the Secret with its certificate, and who issues it."""

from msgspec import Struct

from frappe_operator.api import tls as api
from frappe_operator.kube.names import child
from frappe_operator.model.precedence import first


class Tls(Struct, frozen=True):
    """A site that is reached over https."""

    secret: str = ""
    """Name of the Secret with the certificate; empty when the certificate is that of the ingress controller or load
    balancer."""
    issuer: str = ""
    """Issuer of cert-manager that writes the Secret; empty when there is none."""
    cluster_issuer: str = ""
    """The same for a ClusterIssuer."""
    hsts_max_age: int | None = None
    """Seconds of Strict-Transport-Security; None for no header."""

    @property
    def issued(self) -> bool:
        """Whether cert-manager writes the Secret."""
        return bool(self.issuer or self.cluster_issuer)


def own_secret(site: str) -> str:
    """Name of the Secret that cert-manager writes for a site, unless the site names another one."""
    return child(site, "tls")


def site_of_own_secret(secret: str) -> str:
    """Name of the site whose own Secret would have this name; empty for a name that is no such one. A site whose name
    was shortened for its Secret is not found."""
    return secret.removesuffix("-tls") if secret.endswith("-tls") else ""


def of_site(bench: api.Tls | None, declared: api.Tls | None, name: str) -> Tls | None:
    """TLS of the site `name`; None when it is reached over http. What the site declares takes precedence over its
    bench; a source of the certificate does so as a whole."""
    sections = [each for each in (declared, bench) if each is not None]
    if not sections or first(sections, "enabled") is False:
        return None
    source = next((each for each in sections if each.secret_name or each.issuer or each.cluster_issuer), api.Tls())
    issued = source.issuer or source.cluster_issuer
    return Tls(
        secret=source.secret_name or (own_secret(name) if issued else ""),
        issuer=source.issuer or "",
        cluster_issuer=source.cluster_issuer or "",
        hsts_max_age=first(sections, "hsts_max_age"),
    )
