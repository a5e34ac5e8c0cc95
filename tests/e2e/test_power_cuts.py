"""The operator is killed twenty times while it makes a bench and a site: the end is the same."""

import random

from tests.e2e.town import Town

CUTS = 20
PAUSE_SECONDS = 4.0
"""The longest the operator lives between two cuts; a creation takes longer than all of them together."""


def test_twenty_kills_change_nothing_about_the_end(town: Town) -> None:
    chance = random.Random(20)
    town.bench("orchard")
    town.site("medlar", "orchard", "medlar.example.com")
    written = 0
    for _ in range(CUTS):
        # Anywhere in its life: as it starts, lists, writes. What is awaited is the log growing, or the time being up.
        size = town.operator.log.stat().st_size + chance.randrange(1, 4000)
        _lives_until(town, size, chance.uniform(0.2, PAUSE_SECONDS))
        town.operator.kill()
        town.operator.start()
        written = size
    assert written
    town.until_ready("frappesite", "medlar")
    assert town.visitor("orchard", "medlar.example.com").get("/api/method/ping").status == 200
    assert [line["outcome"] for line in town.ledger("medlar", "medlar.example.com")] == ["started", "created"]
    parts = {item["metadata"]["name"] for item in town.get("deployments,statefulsets,jobs")["items"]}
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
    owners = {item["metadata"]["uid"] for item in town.get("fb,fs")["items"]}
    for item in town.get("deployments,statefulsets,jobs,services,configmaps,ingresses")["items"]:
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "frappe-operator":
            [owner] = item["metadata"]["ownerReferences"]
            assert owner["uid"] in owners, item["metadata"]["name"]


def _lives_until(town: Town, log_size: int, seconds: float) -> None:
    from sandbox.deadline import DeadlineExceededError, until

    try:
        until(lambda: town.operator.log.stat().st_size >= log_size, seconds, "the log to grow")
    except DeadlineExceededError:
        return
