"""Sites go over to a new image while visitors ask for pages and assets; a migration that fails changes nothing."""

import time
from typing import Any

import pytest

from tests.e2e import database, guides
from tests.e2e.namespace import Namespace
from tests.e2e.observations import named_assets, tables, visiting

pytestmark = [pytest.mark.node]

BENCH = guides.BENCH
FIRST, PINNED = guides.SITE, ["alder", "birch", "cedar", "larch", "maple"]
SITES = {site: f"{site}.upgrades.example.com" for site in [FIRST, *PINNED]}
PARTS = ("gunicorn", "frontDoor", "layout", "scheduler", "workerDefault", "jobs")
SMALL = {
    "componentReplicas": {"socketio": 0, "workerLong": 0, "workerShort": 0},
    "componentResources": {part: {"requests": {"cpu": "10m"}} for part in PARTS},
}
"""What has six sites fit on a node with two cores, beside those of other tests."""
TURN_SECONDS = 400.0


def declare(town: Namespace, **spec: Any) -> None:
    """Declares the bench, which makes no templates: they would take the node's time."""
    town.bench(BENCH, siteTemplates={"enabled": False}, **spec)


def version(namespace: Namespace, site: str) -> str:
    return str(namespace.get("fs", site)["status"]["frappeVersion"])


@pytest.fixture(scope="module")
def town(namespace: Namespace) -> Namespace:
    """A bench with six sites. All but the first stay with their image until their spec.release is taken away."""
    declare(namespace)
    namespace.site(FIRST, BENCH, SITES[FIRST])
    for site in PINNED:
        namespace.site(site, BENCH, SITES[site], **SMALL, release="version-15")
    for site in SITES:
        namespace.until_ready("frappesite", site)
    return namespace


def failed(namespace: Namespace, words: str) -> bool:
    upgraded = namespace.condition("fs", FIRST, "Upgraded")
    return upgraded["reason"] == "MigrationFailed" and words in upgraded["message"]


def test_a_patch_that_fails_after_it_has_changed_tables_leaves_the_data_as_it_was(town: Namespace) -> None:
    before = tables(town, BENCH, FIRST)
    assert "tabUser" in before
    with visiting(town, BENCH, SITES) as visits:
        guides.run(town, guides.UPGRADES, guides.CHANGE_IMAGE, image="version-15-patch-fails")
        town.until(lambda: failed(town, "on_request_fails"), "the migration to fail", TURN_SECONDS)
        town.until_ready("frappesite", FIRST)
        assert town.visitor(BENCH, SITES[FIRST]).get("/api/method/ping").status == 200
    assert [each.wrong for each in visits.values()] == [[] for _ in SITES]
    assert [site for site, each in visits.items() if each.maintenance] == [FIRST]
    assert tables(town, BENCH, FIRST) == before
    assert {version(town, site) for site in SITES} == {"15.51.1"}
    assert f'"failed":["{FIRST}"]' in guides.run(town, guides.UPGRADES, guides.WATCH)
    assert "on_request_fails" in guides.run(town, guides.UPGRADES, guides.CAUSE)


def test_a_migration_that_hangs_is_ended_whatever_was_killed_at_each_step(town: Namespace) -> None:
    before, user = tables(town, BENCH, FIRST), database.database_of(town, FIRST)

    def await_session(words: str, what: str) -> None:
        """A session of the site's user is at the statement that begins so."""
        town.until(
            lambda: any(each.startswith(words) for each in database.sessions(town, BENCH, user)), what, TURN_SECONDS
        )

    # Dump: it waits for a table, and the server goes with the lock.
    with database.locked(town, BENCH, user, "tabNote"):
        declare(town, frappeVersion="version-15-patch-hangs", upgrade={"migrationTimeout": "20s"})
        await_session(f"{database.WAITS}: SELECT", "the dump to begin")
        database.killed(town, BENCH)
    # Migrate: the patch sleeps.
    await_session(database.SLEEPS, "the migration to begin")
    database.killed(town, BENCH)
    await_session(database.SLEEPS, "the migration to begin anew")
    # Put back: tables are dropped first, and one cannot be.
    with database.locked(town, BENCH, user, "tabRole"):
        town.operator.kill()
        for pod in town.pods(f"vyogo.tech/site={FIRST},vyogo.tech/component=upgrade"):
            town.run("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
        await_session(f"{database.WAITS}: DROP", "the dump to be put back")
        database.deleted(town, BENCH)
    town.operator.start()
    town.until(lambda: failed(town, "20 seconds"), "the migration to fail", TURN_SECONDS)
    town.until_ready("frappesite", FIRST)
    assert tables(town, BENCH, FIRST) == before
    assert version(town, FIRST) == "15.51.1"
    assert town.visitor(BENCH, SITES[FIRST]).get("/api/method/ping").status == 200


def test_visitors_see_pages_or_the_maintenance_page_and_every_asset(town: Namespace) -> None:
    login = {site: town.visitor(BENCH, host) for site, host in SITES.items()}
    old = set(named_assets(login[FIRST].get("/login").body))
    with visiting(town, BENCH, SITES) as visits:
        time.sleep(1)
        declare(town, frappeVersion="version-15-c", upgrade={"maxConcurrent": 3})
        for site in PINNED:
            town.site(site, BENCH, SITES[site], **SMALL)
        town.until(lambda: {version(town, site) for site in SITES} == {"15.54.0"}, "all upgrades", TURN_SECONDS)
        for site in SITES:
            town.until_ready("frappesite", site)
        new = {site: set(named_assets(login[site].get("/login").body)) for site in SITES}
    for site, seen in visits.items():
        assert seen.wrong == []
        assert seen.maintenance, site
        assert new[site] - old
        assert old | new[site] <= seen.assets.keys()
        print(f"{site}: maintenance page for {seen.maintenance[-1] - seen.maintenance[0]:.1f} s, {dict(seen.statuses)}")
    # The bench hears of the end of the last turn from the status of its site.
    town.until(lambda: town.condition("fb", BENCH, "SitesUpgraded")["status"] == "True", "the bench to say so", 30)
    assert "upgrade" not in town.get("fb", BENCH)["status"]
    for site in SITES:
        assert town.condition("fs", site, "Upgraded")["status"] == "True"
    # Nothing has failed, so nothing is tried again.
    guides.run(town, guides.UPGRADES, guides.RETRY)
    assert town.condition("fs", FIRST, "Upgraded")["status"] == "True"
