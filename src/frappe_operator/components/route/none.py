"""The route type `None`: no children; the user routes to the proxy of the bench."""

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.site import Site


def build(site: Site) -> list[Manifest]:
    """No manifest."""
    return []


def ready(live_children: LiveChildren) -> Verdict:
    """Always true, because there are no children."""
    return exist(live_children)
