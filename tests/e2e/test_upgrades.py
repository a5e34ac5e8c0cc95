"""Sites go over to a new image while visitors ask for pages and assets; a migration that fails changes nothing."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.namespace import Namespace

pytestmark = [pytest.mark.node]

BENCH, SITES = "grove", {"hazel": "hazel.example.com", "alder": "alder.example.com"}
TURN_SECONDS = 400.0


class Visits:
    """What visitors of one site saw."""

    def __init__(self) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.maintenance: list[float] = []
        """When the maintenance page was seen, in seconds."""


@contextmanager
def visiting(namespace: Namespace, assets: list[str]) -> Iterator[dict[str, Visits]]:
    """Asks each site twice a second for its login page and for `assets`, to which what pages name is added."""
    seen = {site: Visits() for site in SITES}
    done = threading.Event()

    def ask(site: str) -> None:
        visitor, visits, known = namespace.visitor(BENCH, SITES[site]), seen[site], list(assets)
        while not done.wait(0.5):
            page = visitor.get("/login")
            visits.statuses["page", page.status] += 1
            if page.status == 503 and "Retry-After" in page.headers:
                visits.maintenance.append(time.monotonic())
            elif page.status == 200:
                known += [each for each in named_assets(page.body) if each not in known]
            else:
                visits.wrong.append(f"/login: {page.status} {page.body[:200]}")
            for asset in known:
                answer = visitor.get(asset)
                visits.statuses["asset", answer.status] += 1
                if answer.status != 200:
                    visits.wrong.append(f"{asset}: {answer.status}")

    threads = [threading.Thread(target=ask, args=(site,)) for site in SITES]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def named_assets(page: str) -> list[str]:
    """The built assets that a page names. What lies in node_modules is not published: the site's own pods serve it."""
    found = [part.split('"')[0] for part in page.split('="') if part.startswith("/assets/")]
    return [each for each in found if "/dist/" in each]


def tables(namespace: Namespace, site: str) -> str:
    """Name and checksum of each table in the database of a site."""
    secret = namespace.get("secret", f"{site}-db-connection")["data"]
    template = "{{.data.%s | base64decode}}"
    user, password = (
        namespace.run("get", "secret", f"{site}-db-connection", f"--template={template % key}")
        for key in ("username", "password")
    )
    assert secret
    options = f'[client]\nuser={user}\npassword="{password}"\ndatabase={user}\n'
    client = ["exec", "-i", f"{BENCH}-mariadb-0", "--", "mariadb", "--defaults-extra-file=/dev/stdin", "--batch", "-N"]

    def ask(statement: str) -> str:
        return namespace.run(*client, f"--execute={statement}", given=options)

    names = ask("SHOW TABLES").split("\n")
    return ask("CHECKSUM TABLE " + ", ".join(f"`{name}`" for name in names if name))


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
    before = tables(town, "hazel")
    assert "tab" in before
    with visiting(town, []) as visits:
        town.bench(BENCH, frappeVersion="version-15-patch-fails")
        town.until(lambda: failed(town, "on_request_fails"), "the migration to fail", TURN_SECONDS)
        town.until_ready("frappesite", "hazel")
        assert town.visitor(BENCH, SITES["hazel"]).get("/api/method/ping").status == 200
    assert [each.wrong for each in visits.values()] == [[], []]
    assert visits["hazel"].maintenance
    assert not visits["alder"].maintenance
    assert tables(town, "hazel") == before
    assert (version(town, "hazel"), version(town, "alder")) == ("15.51.1", "15.51.1")
    assert town.get("fb", BENCH)["status"]["upgrade"]["failed"] == ["hazel"]
    assert town.run("logs", f"job/hazel-upgrade-{town.get('fs', 'hazel')['status']['upgrade']['attempt']}")


def test_a_migration_that_hangs_is_ended_and_so_it_is_when_its_pod_was_killed(town: Namespace) -> None:
    before = tables(town, "hazel")
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
    assert tables(town, "hazel") == before
    assert town.visitor(BENCH, SITES["hazel"]).get("/api/method/ping").status == 200


def test_visitors_see_pages_or_the_maintenance_page_and_every_asset(town: Namespace) -> None:
    with visiting(town, []) as visits:
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
    assert town.condition("fb", BENCH, "SitesUpgraded")["status"] == "True"
    assert "upgrade" not in town.get("fb", BENCH)["status"]
    for site in SITES:
        assert town.condition("fs", site, "Upgraded")["status"] == "True"
