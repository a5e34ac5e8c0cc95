"""Sites go over to a new image while visitors ask for pages and assets; a migration that fails changes nothing."""

import time

import pytest

from tests.e2e.namespace import Namespace
from tests.e2e.observations import tables, visiting

pytestmark = [pytest.mark.node]

BENCH, SITES = "grove", {"hazel": "hazel.example.com", "alder": "alder.example.com"}
TURN_SECONDS = 400.0


def version(namespace: Namespace, site: str) -> str:
    return str(namespace.get("fs", site)["status"]["frappeVersion"])


@pytest.fixture(scope="module")
def town(namespace: Namespace) -> Namespace:
    """A bench with two sites, of which alder stays with its image until its spec.release is taken away."""
    namespace.bench(BENCH)
    namespace.site("hazel", BENCH, SITES["hazel"])
    namespace.site("alder", BENCH, SITES["alder"], release="version-15")
    for site in SITES:
        namespace.until_ready("frappesite", site)
    return namespace


def failed(namespace: Namespace, words: str) -> bool:
    upgraded = namespace.condition("fs", "hazel", "Upgraded")
    return upgraded["reason"] == "MigrationFailed" and words in upgraded["message"]


def test_a_patch_that_fails_after_it_has_changed_tables_leaves_the_data_as_it_was(town: Namespace) -> None:
    before = tables(town, BENCH, "hazel")
    assert "tabUser" in before
    with visiting(town, BENCH, SITES) as visits:
        town.bench(BENCH, frappeVersion="version-15-patch-fails")
        town.until(lambda: failed(town, "on_request_fails"), "the migration to fail", TURN_SECONDS)
        town.until_ready("frappesite", "hazel")
        assert town.visitor(BENCH, SITES["hazel"]).get("/api/method/ping").status == 200
    assert [each.wrong for each in visits.values()] == [[], []]
    assert visits["hazel"].maintenance
    assert not visits["alder"].maintenance
    assert tables(town, BENCH, "hazel") == before
    assert (version(town, "hazel"), version(town, "alder")) == ("15.51.1", "15.51.1")
    assert town.get("fb", BENCH)["status"]["upgrade"]["failed"] == ["hazel"]
    assert town.run("logs", f"job/hazel-upgrade-{town.get('fs', 'hazel')['status']['upgrade']['attempt']}")


def test_a_migration_that_hangs_is_ended_and_so_it_is_when_its_pod_was_killed(town: Namespace) -> None:
    before = tables(town, BENCH, "hazel")
    town.bench(BENCH, frappeVersion="version-15-patch-hangs", upgrade={"migrationTimeout": "20s"})

    def migrating() -> list[str]:
        pods = town.pods("vyogo.tech/site=hazel,vyogo.tech/component=upgrade")
        return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]

    town.until(lambda: bool(migrating()), "the migration to begin", TURN_SECONDS)
    town.operator.kill()
    for pod in migrating():
        town.run("delete", "pod", pod, "--grace-period=0", "--force")
    town.operator.start()
    town.until(lambda: failed(town, "20 seconds"), "the migration to fail", TURN_SECONDS)
    town.until_ready("frappesite", "hazel")
    assert tables(town, BENCH, "hazel") == before
    assert town.visitor(BENCH, SITES["hazel"]).get("/api/method/ping").status == 200


def test_visitors_see_pages_or_the_maintenance_page_and_every_asset(town: Namespace) -> None:
    with visiting(town, BENCH, SITES) as visits:
        time.sleep(1)
        town.bench(BENCH, frappeVersion="version-15-c", upgrade={"maxConcurrent": 2})
        town.site("alder", BENCH, SITES["alder"])
        town.until(
            lambda: [version(town, site) for site in SITES] == ["15.54.0", "15.54.0"], "both upgrades", TURN_SECONDS
        )
        for site in SITES:
            town.until_ready("frappesite", site)
    for site, seen in visits.items():
        assert seen.wrong == []
        assert seen.maintenance, site
        print(f"{site}: maintenance page for {seen.maintenance[-1] - seen.maintenance[0]:.1f} s, {dict(seen.statuses)}")
    # The bench hears of the end of the last turn from the status of its site.
    town.until(lambda: town.condition("fb", BENCH, "SitesUpgraded")["status"] == "True", "the bench to say so", 30)
    assert "upgrade" not in town.get("fb", BENCH)["status"]
    for site in SITES:
        assert town.condition("fs", site, "Upgraded")["status"] == "True"
