"""What the demo declares: a namespace, a bench, a site."""

from typing import Any

from sandbox.installation import RESTRICTED

NAMESPACE = "demo"
BENCH = "bench"
SITE = "shop"
CERTIFICATE = "shop-web"
HOST = "shop.localhost"
"""Browsers take every name below `localhost` to this machine."""

NAMESPACE_OBJECT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE, "labels": RESTRICTED},
}


def bench(version: str = "version-15", **spec: Any) -> dict[str, Any]:
    """A bench with the least that can be said."""
    return {
        "apiVersion": "vyogo.tech/v1alpha1",
        "kind": "FrappeBench",
        "metadata": {"namespace": NAMESPACE, "name": BENCH},
        "spec": {
            "frappeVersion": version,
            "appsJSON": '["erpnext"]',
            "storage": {"size": "1Gi"},
            "databaseConfig": {"storageSize": "1Gi"},
            **spec,
        },
    }


def site(name: str = SITE, host: str = HOST, **spec: Any) -> dict[str, Any]:
    """A site with the least that can be said."""
    return {
        "apiVersion": "vyogo.tech/v1alpha1",
        "kind": "FrappeSite",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"benchRef": {"name": BENCH}, "siteName": host, "storage": {"size": "1Gi"}, **spec},
    }
