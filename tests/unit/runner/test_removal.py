"""`upgrade-site --remove-apps`: apps are removed from a site, or it is as it was, also after interruptions."""

import signal

import pytest

from .pod import Pod
from .server import Server
from .test_creation import CREATE, SITE, SITE_TABLES
from .test_upgrade import arguments, dumps, layout, migrations, read

BOTH = SITE_TABLES | {"taberpnext", "tabhrms"}


def removal(*apps: str, attempt: str = "1", release: str = "old", keep: int = 1) -> tuple[str, ...]:
    return (*arguments(release, attempt, keep), f"--remove-apps={','.join(apps)}")


@pytest.fixture
def site(pod: Pod, server: Server, database: str) -> Pod:
    """A site with two apps, each with a table; the first requires the second."""
    (pod.bench / "apps" / "hrms" / "hrms" / "hooks.py").write_text("required_apps = ['frappe/erpnext']\n")
    for command in ((*CREATE, "--release=old"), ("install-apps", f"--site={SITE}", "--apps=hrms,erpnext")):
        ended = pod.run(*command)
        assert ended.code == 0, ended.output
    server.sql("CREATE TABLE taberpnext (id INT PRIMARY KEY);", database)
    server.sql("CREATE TABLE tabhrms (id INT PRIMARY KEY);", database)
    return pod


def removed(pod: Pod) -> list[str]:
    return [call[2] for call in pod.calls() if call[1] == "uninstall-app"]


def listed(server: Server, database: str) -> str:
    query = "SELECT HEX(defvalue) FROM `tabDefaultValue` WHERE defkey = 'installed_apps';"
    ((found,),) = server.sql(query, database)
    return bytes.fromhex(found).decode()


def assert_both_are_gone(pod: Pod, server: Server, database: str) -> None:
    assert server.tables(database) == SITE_TABLES
    assert listed(server, database) == '["frappe"]'
    assert read(pod, "release.json")["release"] == "old"


def assert_it_is_as_it_was(pod: Pod, server: Server, database: str) -> None:
    assert server.tables(database) == BOTH
    assert listed(server, database) == '["frappe", "erpnext", "hrms"]'
    assert layout(pod)[0] == 0, "pods start again"


def test_apps_are_removed_after_a_dump_dependents_first_and_without_a_migration(
    site: Pod, server: Server, database: str
) -> None:
    ended = site.run(*removal("erpnext", "hrms"))
    assert ended.code == 0, ended.output
    assert (ended.report["outcome"], ended.report["release"]) == ("migrated", "old")
    assert ended.report["removed"] == ["erpnext", "hrms"]
    assert (removed(site), migrations(site)) == (["hrms", "erpnext"], 0)
    assert ended.report["dump"] == "1.removal.sql.gz"
    assert_both_are_gone(site, server, database)
    assert layout(site)[0] == 0


def test_what_is_removed_is_not_removed_again(site: Pod) -> None:
    for attempt in ("1", "1", "2"):
        ended = site.run(*removal("hrms", attempt=attempt))
        assert (ended.report["outcome"], ended.report["removed"]) == ("migrated", ["hrms"])
    assert removed(site) == ["hrms"]


def test_an_app_that_comes_back_is_removed_again(site: Pod, server: Server, database: str) -> None:
    site.run(*removal("hrms"))
    assert site.run("install-apps", f"--site={SITE}", "--apps=hrms").code == 0
    server.sql("CREATE TABLE tabhrms (id INT PRIMARY KEY);", database)
    assert site.run(*removal("hrms")).report["removed"] == ["hrms"]
    assert removed(site) == ["hrms", "hrms"]
    assert server.tables(database) == BOTH - {"tabhrms"}


def test_the_same_attempt_that_is_killed_when_it_is_repeated_is_undone(
    site: Pod, server: Server, database: str
) -> None:
    site.run(*removal("hrms"))
    assert site.run("install-apps", f"--site={SITE}", "--apps=hrms").code == 0
    server.sql("CREATE TABLE tabhrms (id INT PRIMARY KEY);", database)
    site.environment["FRAPPE_FAILS"] = "half-removed:kill"
    assert site.run(*removal("hrms")).code == -signal.SIGKILL
    assert layout(site)[:2] == (1, "UpgradeRunning"), "what was committed before does not count for this one"
    assert site.run(*arguments("old", "2")).report["outcome"] == "migrated"
    assert_it_is_as_it_was(site, server, database)


def test_an_app_that_another_one_requires_is_refused_before_anything_is_dumped(
    site: Pod, server: Server, database: str
) -> None:
    ended = site.run(*removal("erpnext"))
    assert (ended.code, ended.report["outcome"]) == (0, "failed")
    assert ended.report["cause"] == "erpnext cannot be removed: hrms requires it; remove hrms as well"
    assert removed(site) == []
    assert not (site.bench / "sites" / SITE / ".frappe-operator" / "dumps").exists()
    assert_it_is_as_it_was(site, server, database)


@pytest.mark.parametrize("app", ["frappe", "crm"])
def test_frappe_and_an_app_that_the_image_lacks_are_refused(site: Pod, server: Server, database: str, app: str) -> None:
    server.sql("DELETE FROM `tabDefaultValue`;", database)
    apps = '["frappe", "crm"]'
    server.sql(f"INSERT INTO `tabDefaultValue` VALUES ('__global', 'installed_apps', '{apps}');", database)  # noqa: S608
    ended = site.run(*removal(app))
    assert ended.report["outcome"] == "failed"
    assert f"{app} cannot be removed: the image" in ended.report["cause"]


@pytest.mark.parametrize(
    ("step", "how", "cause"),
    [
        ("before-removal", "exit", "Traceback: it went wrong at before-removal"),
        ("half-removed", "exit", "Traceback: it went wrong at half-removed"),
        ("half-removed", "oom", "uninstall-app was killed, most likely because the memory limit"),
        ("after-removal", "exit", "Traceback: it went wrong at after-removal"),
        ("before-removal", "lie", "App erpnext is a dependency of crm. Uninstall crm first."),
    ],
)
def test_whatever_fails_the_site_is_as_it_was(
    site: Pod, server: Server, database: str, step: str, how: str, cause: str
) -> None:
    (site.bench / "apps" / "hrms" / "hrms" / "hooks.py").unlink()
    site.environment["FRAPPE_FAILS"] = f"{step}:{how}:always"
    first, second = (site.run(*removal("erpnext", attempt="2")) for _ in range(2))
    assert (first.code, first.report["outcome"], first.report["release"]) == (0, "failed", "old"), first.output
    assert cause in first.report["cause"]
    assert "removed" not in first.report
    assert second.report == first.report, "it is not repeated"
    assert_it_is_as_it_was(site, server, database)


def test_killed_at_any_moment_it_ends_with_the_apps_removed(site: Pod, server: Server, database: str) -> None:
    deaths = 0
    while (ended := site.run(*removal("hrms", "erpnext", attempt=str(deaths)), kill_at=deaths + 1)).code == -9:
        deaths += 1
        assert deaths < 200
    assert deaths > 20
    assert (ended.report["outcome"], ended.report["removed"]) == ("migrated", ["erpnext", "hrms"]), ended.output
    assert_both_are_gone(site, server, database)


@pytest.mark.parametrize("step", ["before-removal", "half-removed", "after-removal"])
def test_a_removal_that_was_killed_is_undone_and_begun_anew(
    site: Pod, server: Server, database: str, step: str
) -> None:
    site.environment["FRAPPE_FAILS"] = f"{step}:kill"
    assert site.run(*removal("hrms")).code == -signal.SIGKILL
    assert read(site, "upgrade.json")["state"] == "migrating"
    assert layout(site)[:2] == (1, "UpgradeRunning"), "no pod starts on it"
    assert site.run(*removal("hrms")).report["outcome"] == "migrated"
    assert server.tables(database) == BOTH - {"tabhrms"}


def test_a_confirmation_that_was_taken_back_puts_the_dump_back(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "half-removed:kill"
    site.run(*removal("hrms"))
    ended = site.run(*arguments("old", "1"))
    assert ended.report["outcome"] == "migrated"
    assert "removed" not in ended.report
    assert_it_is_as_it_was(site, server, database)


def test_a_removal_that_is_killed_again_and_again_fails(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "half-removed:kill:always"
    for _ in range(3):
        assert site.run(*removal("hrms")).code == -signal.SIGKILL
    ended = site.run(*removal("hrms"))
    assert ended.report["outcome"] == "failed"
    assert "uninstall-app was interrupted 3 times" in ended.report["cause"]
    assert_it_is_as_it_was(site, server, database)


def test_the_dump_from_before_a_removal_outlives_those_of_upgrades(site: Pod) -> None:
    site.run(*removal("hrms", keep=0))
    site.run(*arguments("r2", "2", keep=1))
    site.run(*removal("erpnext", attempt="3", release="r2", keep=0))
    assert [name for name in dumps(site) if name.endswith(".gz")] == ["3.removal.sql.gz"]
    site.run(*arguments("r4", "4", keep=1))
    site.run(*arguments("r5", "5", keep=1))
    assert [name for name in dumps(site) if name.endswith(".gz")] == ["3.removal.sql.gz", "5.sql.gz"]
