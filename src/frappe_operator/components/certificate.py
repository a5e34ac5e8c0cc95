"""The Certificate of cert-manager for a site whose route is not an Ingress.

For an Ingress, cert-manager itself makes one, which it names like the Secret.
"""

from frappe_operator.components.metadata import metadata
from frappe_operator.kube.kinds import CERTIFICATE
from frappe_operator.kube.names import child
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site
from frappe_operator.model.tls import Tls


def build(site: Site) -> list[Manifest]:
    """The Certificate of a site; none when cert-manager has nothing to issue, or makes it itself."""
    if site.tls is None or not site.tls.issued or site.route.type == "Ingress":
        return []
    return [
        {
            "apiVersion": CERTIFICATE.api_version,
            "kind": CERTIFICATE.kind,
            "metadata": metadata(site.owner, own_name(site.owner.name), "ingress"),
            "spec": {
                "secretName": site.tls.secret,
                "dnsNames": list(site.domain.hosts),
                "issuerRef": {"group": CERTIFICATE.group, **_issuer(site.tls)},
            },
        }
    ]


def name(tls: Tls, route: str, site: str) -> str:
    """Name of the Certificate for the Secret of a site with this type of route."""
    return tls.secret if route == "Ingress" else own_name(site)


def own_name(site: str) -> str:
    """Name of the Certificate that the operator makes. While a site moves from an Ingress to a Gateway, that of
    cert-manager is there as well, with the name of the Secret."""
    return child(site, "certificate")


def _issuer(tls: Tls) -> Manifest:
    if tls.cluster_issuer:
        return {"kind": "ClusterIssuer", "name": tls.cluster_issuer}
    return {"kind": "Issuer", "name": tls.issuer}
