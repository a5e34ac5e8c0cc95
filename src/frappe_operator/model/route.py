"""How visitors from outside the cluster reach a site."""

from typing import Literal

from msgspec import Struct

from frappe_operator.api.frappebench import BenchIngress

RouteType = Literal["Ingress", "None"]
"""None: nothing is created, the user routes to the proxy of the bench."""


class Route(Struct, frozen=True):
    """The route from outside the cluster to the proxy of the bench, for all hosts of a site."""

    type: RouteType
    ingress_class: str | None
    """With type Ingress. None: the default class of the cluster."""


def of_bench(ingress: BenchIngress | None) -> Route:
    """The route that the sites of a bench have unless they say otherwise."""
    return Route((ingress and ingress.type) or "Ingress", ingress.class_name if ingress else None)


def of_site(of_bench: Route, ingress_class: str | None) -> Route:
    """The route of a site: that of its bench, with the IngressClass that the site names."""
    return Route(of_bench.type, ingress_class or of_bench.ingress_class)
