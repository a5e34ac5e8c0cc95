"""The operator is killed twenty times while it creates a bench and a site: the final objects are the same."""

import random
import threading

import pytest

from tests.e2e.namespace import Namespace

pytestmark = [pytest.mark.node]

CUTS = 20
LONGEST_LIFE_SECONDS = 12.0
"""Between two cuts. The first five seconds of a life may pass waiting for the dead one's Lease to run out."""


def test_twenty_kills_change_nothing_about_the_end(namespace: Namespace) -> None:
    chance = random.Random(20)
    # The site is to be created by Frappe, however late the operator gets to it.
    namespace.bench("orchard", siteTemplates={"enabled": False})
    namespace.site("medlar", "orchard", "medlar.example.com")
    for _ in range(CUTS):
        _live(chance.uniform(0.2, LONGEST_LIFE_SECONDS))
        namespace.operator.kill()
        namespace.operator.start()
    namespace.until_ready("frappesite", "medlar")
    assert namespace.visitor("orchard", "medlar.example.com").get("/api/method/ping").status == 200
    assert [line["outcome"] for line in namespace.ledger("medlar", "medlar.example.com")] == ["started", "created"]
    parts = {item["metadata"]["name"] for item in namespace.get("deployments,statefulsets,jobs")["items"]}
    assert parts == {
        "orchard-nginx",
        "orchard-redis-cache",
        "orchard-redis-queue",
        "orchard-mariadb",
        *(name for name in parts if name.startswith(("orchard-image-", "medlar-apps-"))),
        "medlar-database",
        "medlar-create",
        *(f"medlar-{part}" for part in ("gunicorn", "socketio", "scheduler")),
        *(f"medlar-worker-{part}" for part in ("default", "long", "short")),
    }
    owners = {item["metadata"]["uid"] for item in namespace.get("fb,fs")["items"]}
    for item in namespace.get("deployments,statefulsets,jobs,services,configmaps,ingresses")["items"]:
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "frappe-operator":
            [owner] = item["metadata"]["ownerReferences"]
            assert owner["uid"] in owners, item["metadata"]["name"]


def _live(seconds: float) -> None:
    """Lets time pass: here it is what is tested."""
    threading.Event().wait(seconds)
