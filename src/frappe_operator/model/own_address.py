"""The public address of a site, as its own pods reach it."""

from collections.abc import Collection

from msgspec import Struct

from frappe_operator.model.domain import Domain
from frappe_operator.model.tls import Tls


class OwnAddress(Struct, frozen=True):
    """How the pods of a site reach the hosts of the site without leaving the cluster."""

    hosts: tuple[str, ...] = ()
    """The hosts that resolve to the site's own Service in its pods; without any, its pods resolve them as all others
    do."""
    service_ip: str = ""
    """Address of that Service; empty until it has one."""
    secret: str = ""
    """Secret with the certificate that the web pods show; empty for a site that is reached over http."""
    authority: str = ""
    """Fingerprint of the certificate authority in the Secret, which the programs of the site trust; empty without
    one."""

    @property
    def waits(self) -> bool:
        """Whether the pods cannot be built yet, because their hosts resolve to a Service without an address."""
        return bool(self.hosts) and not self.service_ip


def own_address(domain: Domain, taken: Collection[str], tls: Tls | None, service_ip: str, authority: str) -> OwnAddress:
    """How the pods of a site reach it. `taken`: hosts that belong to another site. `service_ip`: address of the Service
    of the web pods. `authority`: fingerprint of the certificate authority in the Secret of the certificate.

    Where the ingress controller or load balancer has the certificate, no pod can show it: then visitors' way is the
    only one. Hosts without a dot are left out, because the Services that the site uses have such names, and wildcards,
    because no file of hosts can contain them.
    """
    if tls is not None and not tls.secret:
        return OwnAddress()
    hosts = tuple(
        host for host in (domain.host, *domain.aliases) if "." in host and "*" not in host and host not in taken
    )
    return OwnAddress(hosts, service_ip if hosts else "", tls.secret if tls else "", authority if tls else "")
