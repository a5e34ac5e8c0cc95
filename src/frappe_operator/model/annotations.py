"""Annotations of an Ingress that users may set, by ingress controller.

An ingress controller serves all tenants of a cluster with one configuration. Allowed are annotations that concern the
requests to one site alone. Snippets, further host names, other backends and anything that another tenant can feel are
left out, and so are characters that end a value in the configuration of the controller.
"""

import re

from frappe_operator.api.ingress import Ingress

CONTROLLERS: dict[str, tuple[str, ...]] = {
    "any": (
        "kubernetes.io/ingress.allow-http",
        "cert-manager.io/duration",
        "cert-manager.io/renew-before",
        "cert-manager.io/private-key-algorithm",
        "cert-manager.io/private-key-size",
        "cert-manager.io/private-key-rotation-policy",
        "external-dns.alpha.kubernetes.io/ttl",
        "external-dns.alpha.kubernetes.io/cloudflare-proxied",
    ),
    "Contour": (
        "ingress.kubernetes.io/force-ssl-redirect",
        "projectcontour.io/num-retries",
        "projectcontour.io/per-try-timeout",
        "projectcontour.io/response-timeout",
        "projectcontour.io/retry-on",
        "projectcontour.io/tls-cipher-suites",
        "projectcontour.io/tls-maximum-protocol-version",
        "projectcontour.io/tls-minimum-protocol-version",
    ),
    "Traefik": (
        "traefik.ingress.kubernetes.io/router.entrypoints",
        "traefik.ingress.kubernetes.io/router.priority",
        "traefik.ingress.kubernetes.io/router.tls",
    ),
    "HAProxy": (
        "haproxy.org/allow-list",
        "haproxy.org/deny-list",
        "haproxy.org/forwarded-for",
        "haproxy.org/rate-limit-period",
        "haproxy.org/rate-limit-requests",
        "haproxy.org/rate-limit-status-code",
        "haproxy.org/ssl-redirect",
        "haproxy.org/ssl-redirect-code",
        "haproxy.org/timeout-check",
        "haproxy.org/timeout-queue",
        "haproxy.org/timeout-server",
    ),
    "NGINX": (
        "nginx.ingress.kubernetes.io/client-body-buffer-size",
        "nginx.ingress.kubernetes.io/denylist-source-range",
        "nginx.ingress.kubernetes.io/force-ssl-redirect",
        "nginx.ingress.kubernetes.io/limit-burst-multiplier",
        "nginx.ingress.kubernetes.io/limit-connections",
        "nginx.ingress.kubernetes.io/limit-rpm",
        "nginx.ingress.kubernetes.io/limit-rps",
        "nginx.ingress.kubernetes.io/limit-whitelist",
        "nginx.ingress.kubernetes.io/proxy-body-size",
        "nginx.ingress.kubernetes.io/proxy-buffer-size",
        "nginx.ingress.kubernetes.io/proxy-buffering",
        "nginx.ingress.kubernetes.io/proxy-connect-timeout",
        "nginx.ingress.kubernetes.io/proxy-max-temp-file-size",
        "nginx.ingress.kubernetes.io/proxy-read-timeout",
        "nginx.ingress.kubernetes.io/proxy-request-buffering",
        "nginx.ingress.kubernetes.io/proxy-send-timeout",
        "nginx.ingress.kubernetes.io/ssl-redirect",
        "nginx.ingress.kubernetes.io/whitelist-source-range",
    ),
    "AWS ALB": (
        "alb.ingress.kubernetes.io/certificate-arn",
        "alb.ingress.kubernetes.io/group.name",
        "alb.ingress.kubernetes.io/healthcheck-interval-seconds",
        "alb.ingress.kubernetes.io/healthcheck-path",
        "alb.ingress.kubernetes.io/healthcheck-timeout-seconds",
        "alb.ingress.kubernetes.io/healthy-threshold-count",
        "alb.ingress.kubernetes.io/inbound-cidrs",
        "alb.ingress.kubernetes.io/ip-address-type",
        "alb.ingress.kubernetes.io/listen-ports",
        "alb.ingress.kubernetes.io/load-balancer-attributes",
        "alb.ingress.kubernetes.io/scheme",
        "alb.ingress.kubernetes.io/security-groups",
        "alb.ingress.kubernetes.io/ssl-policy",
        "alb.ingress.kubernetes.io/ssl-redirect",
        "alb.ingress.kubernetes.io/subnets",
        "alb.ingress.kubernetes.io/success-codes",
        "alb.ingress.kubernetes.io/tags",
        "alb.ingress.kubernetes.io/target-group-attributes",
        "alb.ingress.kubernetes.io/target-type",
        "alb.ingress.kubernetes.io/unhealthy-threshold-count",
        "alb.ingress.kubernetes.io/wafv2-acl-arn",
    ),
    "GCE": (
        "ingress.gcp.kubernetes.io/pre-shared-cert",
        "kubernetes.io/ingress.global-static-ip-name",
        "kubernetes.io/ingress.regional-static-ip-name",
        "networking.gke.io/managed-certificates",
        "networking.gke.io/v1beta1.FrontendConfig",
    ),
}
"""The allowed annotations, by the controller that knows them."""

_KNOWN = frozenset(name for names in CONTROLLERS.values() for name in names)
_VALUE = re.compile(r"[A-Za-z0-9 ,.:/_=@*+-]*")
# Some values of AWS are JSON; its controller configures no text file.
_JSON_VALUE = re.compile(r'[A-Za-z0-9 ,.:/_=@*+\[\]{}"-]*')


def annotation_problem(name: str, value: str) -> str:
    """Why an annotation is not set; empty when it is."""
    if name not in _KNOWN:
        return f"the annotation {name} is not allowed: the documentation lists those that are (docs/domains.md)"
    allowed = _JSON_VALUE if name.startswith("alb.") else _VALUE
    if not allowed.fullmatch(value):
        return f"the value of the annotation {name} contains characters that are not allowed: {value[:80]!a}"
    return ""


def problem(ingress: Ingress | None) -> str:
    """A message about the first annotation of a section that is not set; empty when all are."""
    declared = (ingress.annotations if ingress else None) or {}
    problems = (annotation_problem(name, value) for name, value in sorted(declared.items()))
    return next(filter(None, problems), "")
