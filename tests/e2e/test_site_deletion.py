"""How sites go: with Retain and back again, with Delete and without a trace; and one that was hard to make."""

import pytest

from tests.e2e.namespace import Town

pytestmark = [pytest.mark.node]

BENCH, HOST = "orchard", "fig.example.com"


def test_a_retained_site_serves_its_old_data_again(town: Town) -> None:
    town.bench(BENCH)
    town.site("fig", BENCH, HOST)
    town.until_ready("frappesite", "fig")
    password, database = town.password("fig"), town.get("fs", "fig")["status"]["databaseName"]
    visitor = town.visitor(BENCH, HOST)
    visitor.post("/api/method/login", {"usr": "Administrator", "pwd": password})
    assert visitor.get("/api/method/standin.enqueue?queue=short&seconds=0&marker=before").status == 200
    town.until(lambda: "before" in visitor.get("/api/method/standin.jobs").body, "the job to leave its row", 60)

    # In the foreground the garbage collector works before the operator is asked: data must survive that, too.
    town.run("delete", "fs", "fig", "--cascade=foreground", "--timeout=180s")
    left = town.pods("vyogo.tech/site=fig")
    assert [pod for pod in left if pod["status"]["phase"] not in ("Succeeded", "Failed")] == []
    # Of those that have ended, and can write no more, the kubelet may still have to let go.
    town.until(lambda: town.pods("vyogo.tech/site=fig") == [], "its pods to be gone", 30)
    town.site("fig", BENCH, HOST)
    town.until_ready("frappesite", "fig")
    assert town.get("fs", "fig")["status"]["databaseName"] == database
    assert town.password("fig") == password
    again = town.visitor(BENCH, HOST)
    assert again.post("/api/method/login", {"usr": "Administrator", "pwd": password}).status == 200
    assert "before" in again.get("/api/method/standin.jobs").body
    assert [line["outcome"] for line in town.ledger("fig", HOST)] == ["started", "created"]


def test_with_delete_nothing_is_left(town: Town) -> None:
    town.site("fig", BENCH, HOST, deletionPolicy="Delete")
    town.until_ready("frappesite", "fig")
    database = town.get("fs", "fig")["status"]["databaseName"]
    assert database in databases(town)
    town.run("delete", "fs", "fig", "--timeout=180s")
    kinds = "all,configmaps,secrets,pvc,ingresses"

    def gone() -> bool:
        return not town.get(kinds, "--selector=vyogo.tech/site=fig")["items"]

    town.until(gone, "everything of the site to be gone", 120)
    assert database not in databases(town)


def test_a_creation_that_is_killed_half_way_heals_by_itself(town: Town) -> None:
    town.bench("thicket", frappeVersion="version-15-killed-once")
    town.site("sloe", "thicket", "sloe.example.com")
    town.until_ready("frappesite", "sloe")
    assert town.visitor("thicket", "sloe.example.com").get("/api/method/ping").status == 200
    outcomes = [line["outcome"] for line in town.ledger("sloe", "sloe.example.com")]
    assert outcomes.count("created") == 1
    assert outcomes.count("started") == 2


def test_a_bench_with_sites_stays_and_says_which(town: Town) -> None:
    town.run("delete", "fb", "thicket", "--wait=false")
    town.until(lambda: town.condition("fb", "thicket")["reason"] == "SitesRemain", "the bench to say so", 30)
    assert "sloe" in town.condition("fb", "thicket")["message"]
    assert town.visitor("thicket", "sloe.example.com").get("/api/method/ping").status == 200
    town.run("delete", "fs", "sloe", "--timeout=180s")
    town.until(lambda: town.find("fb", "thicket") is None, "the bench to go", 60)


def databases(town: Town) -> str:
    """The databases in the bench's MariaDB."""
    script = (
        "mariadb --no-defaults -u root --password=\"$(cat /run/secrets/frappe-operator/password)\" -e 'SHOW DATABASES'"
    )
    return town.run("exec", f"{BENCH}-mariadb-0", "--", "sh", "-c", script)
