"""No route: the user leads visitors to the proxy of the bench."""

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import Lives, Verdict
from frappe_operator.model.site import Site


def build(site: Site) -> list[Manifest]:
    """Nothing."""
    return []


def ready(lives: Lives) -> Verdict:
    """Nothing is missing."""
    return exist(lives)
