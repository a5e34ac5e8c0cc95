"""The route type `Ingress`: an Ingress for each site, to the proxy of its bench."""

from frappe_operator.components import nginx
from frappe_operator.components.metadata import metadata
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.site import Site
from frappe_operator.model.tls import Tls

MARGIN_SECONDS = 10
"""How much longer an ingress controller waits for a response than the front door of the site, which says more about
what is wrong."""


def seconds(site: Site) -> int:
    """How long an ingress controller waits for a response of a site."""
    return site.limits.read_seconds + MARGIN_SECONDS


def _settings(site: Site) -> dict[str, str]:
    return {name: value.format(seconds=seconds(site)) for name, value in SETTINGS.items()}


SETTINGS = {
    # Contour refuses WebSocket connections to all other paths, and cuts every response off after 15 seconds.
    "projectcontour.io/websocket-routes": "/",
    "projectcontour.io/response-timeout": "{seconds}s",
    "haproxy.org/timeout-server": "{seconds}s",
    "haproxy.org/timeout-tunnel": "1h",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "{seconds}",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "{seconds}",
    # The proxy of the bench has a limit, and answers in the name of the site.
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    # The proxy of the bench redirects to https, but not before there is a certificate.
    "nginx.ingress.kubernetes.io/ssl-redirect": "false",
    "haproxy.org/ssl-redirect": "false",
    # The Service has no node port, and its health is asked for without the name of a site, for which / is 404.
    "alb.ingress.kubernetes.io/target-type": "ip",
    "alb.ingress.kubernetes.io/healthcheck-path": "/healthz",
}
"""What Frappe needs of ingress controllers whose defaults are too narrow. Each ignores the settings of the others."""


def build(site: Site) -> list[Manifest]:
    """The Ingress of a site."""
    spec: Manifest = {"rules": [_rule(site, host) for host in site.domain.hosts]}
    if site.route.ingress_class:
        spec["ingressClassName"] = site.route.ingress_class
    if site.tls is not None:
        secret = {"secretName": site.tls.secret} if site.tls.secret else {}
        spec["tls"] = [{"hosts": list(site.domain.hosts), **secret}]
    meta = metadata(site.owner, site.owner.name, "ingress")
    meta["annotations"] = {**_settings(site), **dict(site.route.annotations), **_issuer(site.tls)}
    return [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}]


def ready(live_children: LiveChildren) -> Verdict:
    """Whether the Ingress exists. Its status is not checked, because many controllers do not write it."""
    return exist(live_children)


def _issuer(tls: Tls | None) -> dict[str, str]:
    """The annotation that has cert-manager write the Secret of the certificate."""
    if tls is None:
        return {}
    if tls.cluster_issuer:
        return {"cert-manager.io/cluster-issuer": tls.cluster_issuer}
    return {"cert-manager.io/issuer": tls.issuer} if tls.issuer else {}


def _rule(site: Site, host: str) -> Manifest:
    backend = {"service": {"name": site.bench.nginx, "port": {"number": nginx.PORT}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
