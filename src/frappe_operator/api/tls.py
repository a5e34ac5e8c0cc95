"""TLS of the hosts of a site: where its certificate comes from."""

from typing import Annotated, ClassVar

from msgspec import Meta

from frappe_operator.api.types import ObjectName, Rule, Section

ONE_ISSUER = Rule(
    "!(has(self.issuer) && has(self.clusterIssuer))",
    "issuer and clusterIssuer name two sources of one certificate: set only one of them",
)


class Tls(Section):
    """TLS of the site. Without secretName, issuer and clusterIssuer, the certificate is that of the ingress controller
    or load balancer."""

    rules: ClassVar[tuple[Rule, ...]] = (ONE_ISSUER,)

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether sites are reached over https. Default: true where `tls` is set, on the site or on the "
            "bench. Visitors who come over http are redirected as soon as the certificate is there."
        ),
    ] = None
    secret_name: Annotated[
        ObjectName | None,
        Meta(
            description="Secret of type kubernetes.io/tls in this namespace, with the keys tls.crt and tls.key. With "
            "issuer or clusterIssuer, the Secret that cert-manager writes: by default `<site>-tls`.",
            examples=["shop-example-com"],
        ),
    ] = None
    issuer: Annotated[ObjectName | None, Meta(description="Issuer of cert-manager in this namespace.")] = None
    cluster_issuer: Annotated[
        ObjectName | None, Meta(description="ClusterIssuer of cert-manager.", examples=["letsencrypt"])
    ] = None
    hsts_max_age: Annotated[
        Annotated[int, Meta(ge=1, le=63072000)] | None,
        Meta(
            description="Seconds for which browsers that have been here use https only, as the header "
            "Strict-Transport-Security tells them. Default: no header, because it cannot be taken back.",
            examples=[31536000],
        ),
    ] = None


class BenchTls(Tls):
    """TLS of the sites of the bench. A site with secretName, issuer or clusterIssuer of its own uses none of the
    bench's."""

    rules: ClassVar[tuple[Rule, ...]] = (
        ONE_ISSUER,
        Rule(
            "!(has(self.secretName) && (has(self.issuer) || has(self.clusterIssuer)))",
            "secretName of a bench is one certificate for all its sites, such as a wildcard, which an issuer would "
            "write again for each site: remove secretName or the issuer",
        ),
    )
