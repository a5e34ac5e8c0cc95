"""The route from outside the cluster to a site."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from frappe_operator.api.ingress import Ingress
from frappe_operator.api.kinds import LiveBench, LiveSite, readable_spec
from frappe_operator.kube.foreign import Gateway as LiveGateway
from frappe_operator.model.annotations import annotation_problem

RouteType = Literal["Ingress", "Gateway", "None"]
"""With `None` the operator creates no route: the user routes to the proxy of the bench."""


class Gateway(Struct, frozen=True):
    """A Gateway that the route of a site attaches to."""

    namespace: str
    name: str
    section: str = ""
    """One of its listeners; empty for all that fit the hosts."""


class Route(Struct, frozen=True):
    """The route from outside the cluster to the proxy of the bench, for all hosts of a site."""

    type: RouteType
    ingress_class: str | None = None
    """IngressClass for the type Ingress; None for the default class of the cluster."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Annotations of the Ingress that the user sets, by name: those that are allowed."""
    gateway: Gateway | None = None
    """The Gateway for the type Gateway; None when the spec names none."""


def of_site(bench: Ingress | None, declared: Ingress | None, ingress_class: str | None, namespace: str) -> Route:
    """The route of a site in `namespace`: what it declares, otherwise what its bench does for the same type.
    `ingress_class`: the field ingressClassName of the site.

    A site that declares a Gateway and names none keeps the route that it has without that.
    """
    if lacks_gateway(bench, declared):
        return of_site(bench, None, ingress_class, namespace) if declared else Route("Ingress", ingress_class)
    kind, sections = _type(bench, declared), _sections(bench, declared)
    if kind == "Gateway":
        ref = next(each.gateway_ref for each in sections if each.gateway_ref)
        return Route(kind, gateway=Gateway(ref.namespace or namespace, ref.name, ref.section_name or ""))
    if kind == "None":
        return Route(kind)
    classes = [ingress_class, *(each.class_name for each in sections)]
    annotations = {name: value for each in reversed(sections) for name, value in (each.annotations or {}).items()}
    usable = {name: value for name, value in annotations.items() if not annotation_problem(name, value)}
    return Route(kind, next(filter(None, classes), None), tuple(sorted(usable.items())))


def lacks_gateway(bench: Ingress | None, declared: Ingress | None) -> bool:
    """Whether the route of a site is of type Gateway, and neither the site nor its bench names the Gateway."""
    return _type(bench, declared) == "Gateway" and not any(each.gateway_ref for each in _sections(bench, declared))


def _type(bench: Ingress | None, declared: Ingress | None) -> RouteType:
    return (declared and declared.type) or (bench and bench.type) or "Ingress"


def _sections(bench: Ingress | None, declared: Ingress | None) -> list[Ingress]:
    """The sections that decide, the one with precedence first. A bench decides about routes of its own type only."""
    inherited = bench if bench is not None and (bench.type or "Ingress") == _type(bench, declared) else None
    return [each for each in (declared, inherited) if each is not None]


HTTPS_PORT = 443
HTTPS_PROTOCOLS = ("HTTPS", "TLS")
"""Protocols of the listeners of a Gateway that present a certificate."""


def no_listener_sets(gateway: LiveGateway | None, namespace: str) -> str:
    """Why a site in `namespace` can have no ListenerSet at a Gateway; empty when it can."""
    if gateway is None:
        return "the operator cannot read the Gateway"
    if not gateway.accepts_listeners_of(namespace):
        return f"the Gateway accepts none from namespace {namespace} (allowedListeners)"
    return ""


def listener_port(gateway: LiveGateway) -> int:
    """The port of listeners that a site has of its own at a Gateway: that of the Gateway's own https."""
    return next((each.port for each in gateway.spec.listeners if each.protocol == "HTTPS"), HTTPS_PORT)


GATEWAY_INDEX = "gateway"
"""Index over all FrappeSites, and over all FrappeBenches: by the Gateway that they name."""


def by_gateway(live: LiveSite | LiveBench) -> list[str]:
    """Index value: the Gateway as `namespace/name`; none without one."""
    spec: Any = readable_spec(live)
    ref = spec.ingress.gateway_ref if spec and spec.ingress else None
    return [f"{ref.namespace or live.metadata.namespace}/{ref.name}"] if ref else []


INDICES: dict[str, Callable[[LiveSite | LiveBench], list[str]]] = {GATEWAY_INDEX: by_gateway}
