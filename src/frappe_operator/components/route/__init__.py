"""Routes from outside the cluster to a site: one file per type of route, with the functions of `RouteBuilder`.

Another type of route is a value of `RouteType` (model/route.py), a file here and a row in `ROUTES`.
"""

from collections.abc import Mapping
from typing import Protocol

from frappe_operator.components.route import gateway, ingress, none
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.route import RouteType
from frappe_operator.model.site import Site


class RouteBuilder(Protocol):
    """The interface of a type of route."""

    def build(self, site: Site) -> list[Manifest]:
        """The children that route the hosts of a site to the proxy of its bench."""

    def ready(self, live_children: LiveChildren) -> Verdict:
        """Whether the live children are in effect."""


ROUTES: Mapping[RouteType, RouteBuilder] = {"Ingress": ingress, "Gateway": gateway, "None": none}
