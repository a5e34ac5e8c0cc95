"""The route from outside the cluster to a site."""

from typing import Literal

from msgspec import Struct

from frappe_operator.api.frappebench import BenchIngress

RouteType = Literal["Ingress", "None"]
"""With `None` the operator creates no route: the user routes to the proxy of the bench."""


class Route(Struct, frozen=True):
    """The route from outside the cluster to the proxy of the bench, for all hosts of a site."""

    type: RouteType
    ingress_class: str | None
    """IngressClass for the type Ingress; None for the default class of the cluster."""


def of_bench(ingress: BenchIngress | None) -> Route:
    """The default route of the sites of a bench."""
    return Route((ingress and ingress.type) or "Ingress", ingress.class_name if ingress else None)


def of_site(of_bench: Route, ingress_class: str | None) -> Route:
    """The route of a site: that of its bench, with the IngressClass of the site if it declares one."""
    return Route(of_bench.type, ingress_class or of_bench.ingress_class)
