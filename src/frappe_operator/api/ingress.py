"""How sites are reached from outside the cluster: by Ingress, by the Gateway API, or as the user sees to it."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from frappe_operator.api.types import ObjectName, Rule, Section

OF_ANOTHER_TYPE = "!has(self.{field}) || !has(self.type) || self.type == '{type}'"


class GatewayReference(Section):
    """A Gateway of the Gateway API that accepts routes from this namespace."""

    name: Annotated[ObjectName, Meta(description="Name of the Gateway.", examples=["public"])]
    namespace: Annotated[ObjectName | None, Meta(description="Its namespace. Default: that of this object.")] = None
    section_name: Annotated[
        ObjectName | None, Meta(description="One of its listeners. Default: all that fit the host names.")
    ] = None


class Ingress(Section):
    """How the site is reached from outside the cluster."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            OF_ANOTHER_TYPE.format(field="className", type="Ingress"),
            "className belongs to type: Ingress, and another type creates no Ingress: remove one of the two",
        ),
        Rule(
            OF_ANOTHER_TYPE.format(field="annotations", type="Ingress"),
            "annotations belong to type: Ingress, and another type creates no Ingress: remove one of the two",
        ),
        Rule(
            "!has(self.gatewayRef) || (has(self.type) && self.type == 'Gateway')",
            "gatewayRef belongs to type: Gateway: set type to Gateway, or remove gatewayRef",
        ),
    )

    type: Annotated[
        Literal["Ingress", "Gateway", "None"] | None,
        Meta(
            description="Ingress (default): one Ingress per site. Gateway: an HTTPRoute per site, to the Gateway that "
            "gatewayRef names. None: you route to the Service `<bench>-nginx`."
        ),
    ] = None
    class_name: Annotated[
        ObjectName | None, Meta(description="IngressClass. Default: the default class of the cluster.")
    ] = None
    annotations: Annotated[
        Annotated[dict[str, Annotated[str, Meta(max_length=4096)]], Meta(extra_json_schema={"maxProperties": 32})]
        | None,
        Meta(
            description="Annotations of the Ingress: settings of the ingress controller. Allowed are those that "
            "concern the site alone; the documentation lists them for each controller.",
            examples=[{"nginx.ingress.kubernetes.io/limit-rps": "20"}],
        ),
    ] = None
    gateway_ref: Annotated[GatewayReference | None, Meta(description="Gateway, with type: Gateway.")] = None


class BenchIngress(Ingress):
    """How the sites of the bench are reached from outside the cluster. What a site sets takes precedence."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *Ingress.rules,
        Rule(
            "!has(self.type) || self.type != 'Gateway' || has(self.gatewayRef)",
            "type: Gateway needs gatewayRef: name the Gateway that the sites attach to",
        ),
    )
