"""The objects that lead from the API server to metrics-server on the node."""

from typing import Any

NAME = "metrics-server"
NAMESPACE = "kube-system"
API = "v1beta1.metrics.k8s.io"
USER = f"system:serviceaccount:{NAMESPACE}:{NAME}"
"""The user of the API that metrics-server is: the account that its own roles name."""
PORT = 4443

Object = dict[str, Any]


def objects(address: str, trusted: str) -> list[Object]:
    """All of them. `trusted`: the authority of its certificate, as PEM in base64."""
    return [_service(), _slice(address), _api(trusted)]


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": PORT}]},
    }


def _slice(address: str) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
    }


def _api(trusted: str) -> Object:
    version, _, group = API.partition(".")
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": API},
        "spec": {
            "group": group,
            "version": version,
            "service": {"name": NAME, "namespace": NAMESPACE},
            "caBundle": trusted,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
