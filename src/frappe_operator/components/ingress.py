"""The way in from outside: an Ingress for each site, to the bench's proxy."""

from frappe_operator.components import nginx
from frappe_operator.components.metadata import metadata
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site


def build(site: Site) -> list[Manifest]:
    """The Ingress, or nothing where the bench's sites are routed by someone else."""
    if not site.ingress:
        return []
    spec: Manifest = {"rules": [_rule(site, host) for host in site.domain.hosts]}
    if site.ingress_class:
        spec["ingressClassName"] = site.ingress_class
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata(site.owner, site.owner.name, "ingress"),
            "spec": spec,
        }
    ]


def _rule(site: Site, host: str) -> Manifest:
    backend = {"service": {"name": site.bench.nginx, "port": {"number": nginx.PORT}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
