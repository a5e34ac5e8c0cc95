"""The route type `Ingress`: an Ingress for each site, to the proxy of its bench."""

from frappe_operator.components import nginx
from frappe_operator.components.metadata import metadata
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.site import Site


def build(site: Site) -> list[Manifest]:
    """The Ingress of a site."""
    spec: Manifest = {"rules": [_rule(site, host) for host in site.domain.hosts]}
    if site.route.ingress_class:
        spec["ingressClassName"] = site.route.ingress_class
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata(site.owner, site.owner.name, "ingress"),
            "spec": spec,
        }
    ]


def ready(live_children: LiveChildren) -> Verdict:
    """Whether the Ingress exists. Its status is not checked, because many controllers do not write it."""
    return exist(live_children)


def _rule(site: Site, host: str) -> Manifest:
    backend = {"service": {"name": site.bench.nginx, "port": {"number": nginx.PORT}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
