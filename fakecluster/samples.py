"""A bench and its sites, as tests begin with them."""

from typing import Any

from fakecluster.world import World
from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import SECRET
from frappe_operator.kube.objects import Manifest

CONNECTION: Manifest = {
    "apiVersion": SECRET.api_version,
    "kind": "Secret",
    "metadata": {"name": "ledger"},
    "stringData": {
        "host": "db.example.com",
        "port": "3306",
        "database": "ledger",
        "username": "ledger",
        "password": "external-canary",
    },
}
EXTERNAL = {"mode": "external", "connectionSecretRef": {"name": "ledger"}}
"""The dbConfig of a site whose database is in it."""
DEDICATED = {"mode": "dedicated"}
"""The dbConfig of a site with a MariaDB of its own."""


def a_bench(name: str = "forge", **spec: Any) -> Manifest:
    """A bench. It keeps no templates unless `siteTemplates` says so: whether a site comes before the template of its
    bench or after it depends on the order of events, and its Jobs show it."""
    return {
        "apiVersion": BENCH.api_version,
        "kind": "FrappeBench",
        "metadata": {"name": name},
        "spec": {
            "frappeVersion": "version-15",
            "appsJSON": '["erpnext"]',
            "siteTemplates": {"enabled": False},
            **spec,
        },
    }


def a_site(name: str = "acme", bench: str = "forge", **spec: Any) -> Manifest:
    return {
        "apiVersion": SITE.api_version,
        "kind": "FrappeSite",
        "metadata": {"name": name},
        "spec": {"benchRef": {"name": bench}, "siteName": f"{name}.example.com", **spec},
    }


def a_world(*objects: Manifest, **more: Any) -> World:
    """A world with a bench and a site, or with these objects."""
    return World(*(objects or (a_bench(), a_site())), crds=crd.definitions(), **more)
