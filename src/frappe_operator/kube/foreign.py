"""Cached objects of kinds that CustomResourceDefinitions of others define: the Gateway API and cert-manager."""

from msgspec import Struct, field

from frappe_operator.kube.live import Condition, Live


class ParentRef(Struct, gc=False, frozen=True, rename="camel"):
    """The Gateway, or one of its listeners, or the ListenerSet, that a route attaches to."""

    name: str
    kind: str = "Gateway"
    namespace: str = ""
    section_name: str = ""


class ParentStatus(Struct, gc=False, frozen=True, rename="camel"):
    """What one controller says of a route at one Gateway."""

    parent_ref: ParentRef
    conditions: tuple[Condition, ...] = ()


class RouteSpec(Struct, gc=False, frozen=True, rename="camel"):
    parent_refs: tuple[ParentRef, ...] = ()


class RouteStatus(Struct, gc=False, frozen=True, rename="camel"):
    parents: tuple[ParentStatus, ...] = ()


class HttpRoute(Live):
    """An HTTPRoute of the Gateway API."""

    spec: RouteSpec = RouteSpec()
    status: RouteStatus = RouteStatus()


class SecretRef(Struct, gc=False, frozen=True, rename="camel"):
    """A Secret with a certificate that a listener presents."""

    name: str
    namespace: str = ""
    """Empty for the namespace of the Gateway."""


class ListenerTls(Struct, gc=False, frozen=True, rename="camel"):
    certificate_refs: tuple[SecretRef, ...] = ()


class Listener(Struct, gc=False, frozen=True, rename="camel"):
    """One port of a Gateway, for one host name or for all."""

    name: str
    protocol: str = ""
    port: int = 0
    hostname: str = ""
    tls: ListenerTls = ListenerTls()


class NamespacesOf(Struct, gc=False, frozen=True, rename="camel"):
    """From which namespaces a Gateway accepts ListenerSets."""

    from_: str = field(default="None", name="from")


class AllowedListeners(Struct, gc=False, frozen=True, rename="camel"):
    namespaces: NamespacesOf = NamespacesOf()


class GatewaySpec(Struct, gc=False, frozen=True, rename="camel"):
    listeners: tuple[Listener, ...] = ()
    allowed_listeners: AllowedListeners = AllowedListeners()


class ListenerStatus(Struct, gc=False, frozen=True, rename="camel"):
    """What the controller of a Gateway says of a listener."""

    name: str
    conditions: tuple[Condition, ...] = ()


class ListenersStatus(Struct, gc=False, frozen=True, rename="camel"):
    """Status of a Gateway or a ListenerSet."""

    conditions: tuple[Condition, ...] = ()
    listeners: tuple[ListenerStatus, ...] = ()


class Gateway(Live):
    """A Gateway of the Gateway API. The operator reads it and never writes it."""

    spec: GatewaySpec = GatewaySpec()
    status: ListenersStatus = ListenersStatus()

    def accepts_listeners_of(self, namespace: str) -> bool:
        """Whether it may accept ListenerSets of a namespace. With a selector its controller decides."""
        source = self.spec.allowed_listeners.namespaces.from_
        return source in ("All", "Selector") or (source == "Same" and namespace == self.metadata.namespace)


class ListenerSet(Live):
    """A ListenerSet of the Gateway API: more listeners for a Gateway."""

    status: ListenersStatus = ListenersStatus()


class CertificateStatus(Struct, gc=False, frozen=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()


class IssuedCertificate(Live):
    """A Certificate of cert-manager."""

    status: CertificateStatus = CertificateStatus()
