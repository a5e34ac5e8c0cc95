"""Deletion of sites with Retain and Delete, of a bench with sites; and a creation that is killed half-way."""

import pytest

from tests.e2e.namespace import Namespace

pytestmark = [pytest.mark.node]

BENCH, HOST = "orchard", "fig.example.com"


def test_a_retained_site_serves_its_old_data_again(namespace: Namespace) -> None:
    namespace.bench(BENCH)
    namespace.site("fig", BENCH, HOST)
    namespace.until_ready("frappesite", "fig")
    password, database = namespace.password("fig"), namespace.get("fs", "fig")["status"]["databaseName"]
    visitor = namespace.visitor(BENCH, HOST)
    visitor.post("/api/method/login", {"usr": "Administrator", "pwd": password})
    assert visitor.get("/api/method/standin.enqueue?queue=short&seconds=0&marker=before").status == 200
    namespace.until(lambda: "before" in visitor.get("/api/method/standin.jobs").body, "the job to leave its row", 60)

    # In the foreground the garbage collector works before the operator is asked: data must survive that, too.
    namespace.run("delete", "fs", "fig", "--cascade=foreground", "--timeout=180s")
    left = namespace.pods("vyogo.tech/site=fig")
    assert [pod for pod in left if pod["status"]["phase"] not in ("Succeeded", "Failed")] == []
    # Of those that have ended, and can write no more, the kubelet may still have to let go.
    namespace.until(lambda: namespace.pods("vyogo.tech/site=fig") == [], "its pods to be gone", 30)
    namespace.site("fig", BENCH, HOST)
    namespace.until_ready("frappesite", "fig")
    assert namespace.get("fs", "fig")["status"]["databaseName"] == database
    assert namespace.password("fig") == password
    again = namespace.visitor(BENCH, HOST)
    assert again.post("/api/method/login", {"usr": "Administrator", "pwd": password}).status == 200
    assert "before" in again.get("/api/method/standin.jobs").body
    assert [line["outcome"] for line in namespace.ledger("fig", HOST)] == ["started", "created"]


def test_with_delete_nothing_is_left(namespace: Namespace) -> None:
    namespace.site("fig", BENCH, HOST, deletionPolicy="Delete")
    namespace.until_ready("frappesite", "fig")
    database = namespace.get("fs", "fig")["status"]["databaseName"]
    assert database in databases(namespace)
    namespace.run("delete", "fs", "fig", "--timeout=180s")
    kinds = "all,configmaps,secrets,pvc,ingresses"

    def gone() -> bool:
        return not namespace.get(kinds, "--selector=vyogo.tech/site=fig")["items"]

    namespace.until(gone, "everything of the site to be gone", 120)
    assert database not in databases(namespace)


def test_a_creation_that_is_killed_half_way_heals_by_itself(namespace: Namespace) -> None:
    namespace.bench("thicket", frappeVersion="version-15-killed-once", siteTemplates={"enabled": False})
    namespace.site("sloe", "thicket", "sloe.example.com")
    namespace.until_ready("frappesite", "sloe")
    assert namespace.visitor("thicket", "sloe.example.com").get("/api/method/ping").status == 200
    outcomes = [line["outcome"] for line in namespace.ledger("sloe", "sloe.example.com")]
    assert outcomes.count("created") == 1
    assert outcomes.count("started") == 2


def test_a_bench_with_sites_stays_and_says_which(namespace: Namespace) -> None:
    namespace.run("delete", "fb", "thicket", "--wait=false")
    namespace.until(lambda: namespace.condition("fb", "thicket")["reason"] == "SitesRemain", "the bench to say so", 30)
    assert "sloe" in namespace.condition("fb", "thicket")["message"]
    assert namespace.visitor("thicket", "sloe.example.com").get("/api/method/ping").status == 200
    namespace.run("delete", "fs", "sloe", "--timeout=180s")
    namespace.until(lambda: namespace.find("fb", "thicket") is None, "the bench to go", 60)


def databases(namespace: Namespace) -> str:
    """The databases in the bench's MariaDB."""
    script = (
        "mariadb --no-defaults -u root --password=\"$(cat /run/secrets/frappe-operator/password)\" -e 'SHOW DATABASES'"
    )
    return namespace.run("exec", f"{BENCH}-mariadb-0", "--", "sh", "-c", script)
