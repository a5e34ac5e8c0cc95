"""The objects that Contour needs in the cluster, besides its kinds and roles."""

from typing import Any

from sandbox.certificates import tls_secret

NAMESPACE = "projectcontour"
INGRESS_CLASS = "contour"
GATEWAY = "contour"
USER = "contour"
"""The user of the API that Contour is. It may do what Contour's own roles say."""

# Contour maps the Gateway's listeners on 80 and 443 to these ports of Envoy: it adds 8000.
HTTP_PORT, HTTPS_PORT = 8080, 8443

_CERTIFICATE = "gateway-certificate"

Object = dict[str, Any]


def objects(envoy_address: str, certificate: tuple[str, str]) -> list[Object]:
    """All of them. `certificate` is that of the Gateway's HTTPS listener, with its key."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _binding("ClusterRole", {"name": "contour"}),
        _binding("Role", {"name": "contour", "namespace": NAMESPACE}),
        _service(),
        _slice(envoy_address),
        _ingress_class(),
        _gateway_class(),
        tls_secret(_CERTIFICATE, certificate, NAMESPACE),
        _gateway(),
    ]


def _binding(role: str, metadata: Object) -> Object:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": f"{role}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": role, "name": "contour"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": USER}],
    }


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "envoy", "namespace": NAMESPACE},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "ports": [
                {"name": "http", "port": 80, "targetPort": HTTP_PORT},
                {"name": "https", "port": 443, "targetPort": HTTPS_PORT},
            ],
        },
    }


def _slice(envoy_address: str) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "envoy",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": "envoy"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [envoy_address], "conditions": {"ready": True}}],
        "ports": [
            {"name": "http", "port": HTTP_PORT, "protocol": "TCP"},
            {"name": "https", "port": HTTPS_PORT, "protocol": "TCP"},
        ],
    }


def _ingress_class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": INGRESS_CLASS},
        "spec": {"controller": "projectcontour.io/ingress-controller"},
    }


def _gateway_class() -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "contour"},
        "spec": {"controllerName": "projectcontour.io/gateway-controller"},
    }


def _gateway() -> Object:
    everybody = {"namespaces": {"from": "All"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": "contour",
            "listeners": [
                {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": everybody},
                {
                    "name": "https",
                    "protocol": "HTTPS",
                    "port": 443,
                    "tls": {"mode": "Terminate", "certificateRefs": [{"name": _CERTIFICATE}]},
                    "allowedRoutes": everybody,
                },
            ],
        },
    }
