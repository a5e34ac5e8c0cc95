"""`upgrade-site`: a site is migrated, or is as it was, also after interruptions."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from frappe_operator.runner import dump, upgrade
from frappe_operator.runner.child import Ended

from . import pod
from .pod import Pod
from .server import Server
from .test_creation import CREATE, SITE, SITE_TABLES
from .test_layout import layout as layout_of

UPGRADED = (SITE_TABLES - {"people"}) | {"tabFirst", "tabSecond", "tabPatched"}


def arguments(release: str = "new", attempt: str = "1", keep: int = 1, timeout: int = 60) -> tuple[str, ...]:
    return (
        *("upgrade-site", f"--site={SITE}", f"--release={release}", "--from=", f"--attempt={attempt}"),
        *(f"--keep-dumps={keep}", f"--timeout={timeout}", "--patience=0"),
    )


UPGRADE = arguments()


@pytest.fixture
def site(pod: Pod, server: Server, database: str) -> Pod:
    """A site at the release `old`, in a pod of the image of `new`."""
    ended = pod.run(*CREATE, "--release=old")
    assert ended.code == 0, ended.output
    assert ended.report["release"] == "old"
    pod.add_app("frappe", "__version__ = '15.60.0'\n")
    return pod


def read(pod: Pod, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pod.bench / "sites" / SITE / ".frappe-operator" / name).read_text())
    return found


def config(pod: Pod) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pod.bench / "sites" / SITE / "site_config.json").read_text())
    return found


def dumps(pod: Pod) -> list[str]:
    folder = pod.bench / "sites" / SITE / ".frappe-operator" / "dumps"
    return sorted(path.name for path in folder.iterdir())


def assert_it_is_at_the_new_release(pod: Pod, server: Server, database: str) -> None:
    assert server.tables(database) == UPGRADED
    assert read(pod, "release.json") == {
        "release": "new",
        "run": read(pod, "upgrade.json")["run"],
        "apps": {"frappe": "15.60.0", "erpnext": "15.2.0", "hrms": "15.1.0"},
    }
    assert config(pod)["maintenance_mode"] == 0


def assert_it_is_as_it_was(pod: Pod, server: Server, database: str) -> None:
    assert server.tables(database) == SITE_TABLES
    assert read(pod, "release.json")["release"] == "old"
    assert "maintenance_mode" not in config(pod)


def migrations(pod: Pod) -> int:
    return [call[1] for call in pod.calls()].count("migrate")


def test_a_site_is_migrated(site: Pod, server: Server, database: str) -> None:
    ended = site.run(*UPGRADE)
    assert ended.code == 0, ended.output
    assert (ended.report["outcome"], ended.report["release"]) == ("migrated", "new")
    assert set(ended.report["seconds"]) == {"dump", "migrate"}
    assert_it_is_at_the_new_release(site, server, database)
    assert read(site, "upgrade.json")["state"] == "done"
    assert dumps(site) == ["1.sql.gz", "1.sql.gz.json", "1.sql.gz.site_config.json"]
    assert ended.report["dump"] == "1.sql.gz"


def test_a_site_that_is_at_the_release_is_left_alone(site: Pod) -> None:
    site.run(*UPGRADE)
    for attempt in ("1", "2"):
        ended = site.run(*arguments(attempt=attempt))
        assert (ended.report["outcome"], ended.report["release"]) == ("migrated", "new")
    assert migrations(site) == 1


def test_a_site_of_an_operator_without_records_is_migrated(site: Pod, server: Server, database: str) -> None:
    (site.bench / "sites" / SITE / ".frappe-operator" / "release.json").unlink()
    assert site.run(*UPGRADE).report["outcome"] == "migrated"
    assert_it_is_at_the_new_release(site, server, database)


@pytest.mark.parametrize(
    ("step", "how", "patch", "cause"),
    [
        ("before-patches", "exit", "", "Traceback: it went wrong at before-patches"),
        ("between-patches", "exit", "", "Traceback: it went wrong at between-patches"),
        ("in-a-patch", "exit", "frappe.patches.v15.second", "Traceback: it went wrong at in-a-patch"),
        ("in-a-patch", "oom", "frappe.patches.v15.second", "was killed, most likely because the memory limit"),
        ("in-a-patch", "hang", "frappe.patches.v15.second", "migrate did not end within 2 seconds"),
        ("after-patches", "exit", "", "Traceback: it went wrong at after-patches"),
    ],
)
def test_whatever_fails_the_site_is_as_it_was(
    site: Pod, server: Server, database: str, step: str, how: str, patch: str, cause: str
) -> None:
    site.environment["FRAPPE_FAILS"] = f"{step}:{how}:always"
    ended = site.run(*arguments(timeout=2 if how == "hang" else 60))
    assert ended.code == 0, ended.output
    assert (ended.report["outcome"], ended.report["release"]) == ("failed", "old")
    assert ended.report["patch"] == patch
    assert cause in ended.report["cause"]
    assert ended.report["lines"]
    assert_it_is_as_it_was(site, server, database)
    assert (site.root / "sigterm-received").exists() is (how == "hang"), "first it may end by itself"


def test_an_attempt_that_has_failed_is_reported_again_and_not_repeated(
    site: Pod, server: Server, database: str
) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:exit"
    first, second = (site.run(*UPGRADE) for _ in range(2))
    assert second.report == first.report
    assert migrations(site) == 1
    ended = site.run(*arguments(attempt="2"))
    assert ended.report["outcome"] == "migrated", "another attempt is one"
    assert_it_is_at_the_new_release(site, server, database)


def test_the_report_of_a_failure_has_no_secrets_and_is_short(site: Pod) -> None:
    """That it is short enough, and that nothing contains the canaries, is asserted for every run."""
    site.environment["FRAPPE_FAILS"] = "in-a-patch:tell"
    ended = site.run(*UPGRADE)
    assert ended.report["cause"] == 'pymysql.err.OperationalError: (1045, "Access denied with ***")'
    assert ended.report["lines"][-1] == ended.report["cause"]
    assert "canary" not in json.dumps(read(site, "upgrade.json"))


@pytest.mark.parametrize("step", ["before-patches", "between-patches", "in-a-patch", "after-patches"])
def test_a_migration_that_was_killed_is_undone_and_begun_anew(
    site: Pod, server: Server, database: str, step: str
) -> None:
    site.environment["FRAPPE_FAILS"] = f"{step}:kill"
    assert site.run(*UPGRADE).code == -signal.SIGKILL
    assert read(site, "upgrade.json")["state"] == "migrating"
    ended = site.run(*UPGRADE)
    assert ended.report["outcome"] == "migrated", ended.output
    assert_it_is_at_the_new_release(site, server, database)


def killed_ever_later(site: Pod) -> tuple[int, pod.Ended]:
    """Runs it with a new attempt each time, killed one step later than before, until it ends by itself. Returns how
    often it was killed, and the last run."""
    deaths = 0
    while (ended := site.run(*arguments(attempt=str(deaths)), kill_at=deaths + 1)).code == -signal.SIGKILL:
        deaths += 1
        assert deaths < 200
    return deaths, ended


def test_killed_at_any_moment_it_ends_at_the_new_release(site: Pod, server: Server, database: str) -> None:
    deaths, ended = killed_ever_later(site)
    assert deaths > 20
    assert ended.report["outcome"] == "migrated", ended.output
    assert_it_is_at_the_new_release(site, server, database)


def test_a_failing_one_that_is_killed_at_any_moment_ends_as_it_was(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:exit:always"
    deaths, ended = killed_ever_later(site)
    assert deaths > 30
    assert ended.report["outcome"] == "failed", ended.output
    assert_it_is_as_it_was(site, server, database)


def test_a_migration_that_is_killed_again_and_again_fails(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill:always"
    for _ in range(upgrade.MOST_BEGUN):
        assert site.run(*UPGRADE).code == -signal.SIGKILL
    ended = site.run(*UPGRADE)
    assert ended.code == 0, ended.output
    assert ended.report["outcome"] == "failed"
    assert "interrupted 3 times, the last time by the end of its pod" in ended.report["cause"]
    assert_it_is_as_it_was(site, server, database)


def test_a_database_that_goes_away_is_not_the_fault_of_the_release(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch-the-database-goes:lie"
    ended = site.run(*UPGRADE)
    assert (ended.code, ended.reason) == (1, "DatabaseUnavailable")
    assert site.run(*UPGRADE).report["outcome"] == "migrated"
    assert_it_is_at_the_new_release(site, server, database)


def test_a_database_that_goes_away_each_time_is(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch-the-database-goes:lie:always"
    assert [site.run(*UPGRADE).code for _ in range(3)] == [1, 1, 1]
    ended = site.run(*UPGRADE)
    assert ended.report["outcome"] == "failed"
    assert "the last time by the loss of the connection to the database" in ended.report["cause"]
    assert_it_is_as_it_was(site, server, database)


def test_redis_that_is_away_is_waited_for(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "redis-goes:lie:always"
    for _ in range(5):
        ended = site.run(*UPGRADE)
        assert (ended.code, ended.reason) == (1, "RedisUnavailable")
    site.environment["FRAPPE_FAILS"] = ""
    assert site.run(*UPGRADE).report["outcome"] == "migrated"


def test_an_interrupted_upgrade_is_undone_before_the_next_goes_elsewhere(
    site: Pod, server: Server, database: str
) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill"
    site.run(*UPGRADE)
    ended = site.run(*arguments(release="old", attempt="back"))
    assert (ended.report["outcome"], ended.report["release"]) == ("migrated", "old")
    assert_it_is_as_it_was(site, server, database)


def test_one_that_was_terminated_goes_on_in_the_next_pod(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:hang"
    process = site.start(*UPGRADE)
    assert process.stdout is not None
    for line in process.stdout:
        if "hanging" in line:
            process.terminate()
    ended = site.end(process)
    assert (ended.code, ended.reason) == (1, "Interrupted")
    assert site.run(*UPGRADE).report["outcome"] == "migrated"
    assert_it_is_at_the_new_release(site, server, database)


def test_too_little_space_ends_the_attempt_before_anything_is_changed(site: Pod, server: Server, database: str) -> None:
    (site.runner / "dump.py").write_text((site.runner / "dump.py").read_text().replace("64 << 20", "1 << 60"))
    ended = site.run(*UPGRADE)
    assert (ended.code, ended.report["outcome"], ended.report["release"]) == (0, "failed", "old")
    assert "increase storage.size" in ended.report["cause"]
    assert migrations(site) == 0
    assert_it_is_as_it_was(site, server, database)


def test_an_image_without_mariadb_dump_ends_the_attempt(site: Pod, server: Server, database: str) -> None:
    client = shutil.which("mariadb", path=f"{site.programs}:{Path('/usr/bin')}") or shutil.which("mariadb")
    assert client is not None
    only = site.root / "only-the-client"
    only.mkdir()
    (only / "mariadb").symlink_to(client)
    (only / "sh").symlink_to("/bin/sh")
    site.environment["PATH"] = str(only)
    ended = site.run(*UPGRADE)
    assert (ended.code, ended.report["outcome"]) == (0, "failed")
    assert "use an image that contains `mariadb-dump`" in ended.report["cause"]
    assert migrations(site) == 0


def test_a_damaged_dump_is_not_restored(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill"
    site.run(*UPGRADE)
    (site.bench / "sites" / SITE / ".frappe-operator" / "dumps" / "1.sql.gz").write_bytes(b"other")
    before = server.tables(database)
    ended = site.run(*UPGRADE)
    assert (ended.code, ended.reason) == (64, "DumpFailed")
    assert server.tables(database) == before
    assert read(site, "upgrade.json")["state"] == "migrating", "so no pod starts on it"


@pytest.mark.parametrize(("keep", "kept"), [(0, []), (1, ["3"]), (2, ["2", "3"])])
def test_only_the_latest_dumps_are_kept(site: Pod, keep: int, kept: list[str]) -> None:
    for attempt in ("1", "2", "3"):
        ended = site.run(*arguments(release=f"r{attempt}", attempt=attempt, keep=keep))
        assert ended.report["outcome"] == "migrated"
    assert [name for name in dumps(site) if name.endswith(".gz")] == [f"{attempt}.sql.gz" for attempt in kept]
    assert len(dumps(site)) == 3 * len(kept)


def test_what_changed_meanwhile_is_not_undone_with_the_configuration(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill"
    site.run(*UPGRADE)
    path = site.bench / "sites" / SITE / "site_config.json"
    ours = {"host_name": "http://new.example.com", "max_file_size": 4096}
    path.write_text(json.dumps({**config(site), **ours, "encryption_key": "canary"}))
    site.environment["FRAPPE_FAILS"] = "before-patches:exit:always"
    assert site.run(*UPGRADE).report["outcome"] == "failed"
    assert {**config(site), **ours} == config(site)
    assert "encryption_key" not in config(site), "what it encrypts is not in the database any more"


def test_two_at_once_migrate_once(site: Pod, server: Server, database: str) -> None:
    both = [site.start(*UPGRADE), site.start(*UPGRADE)]
    assert [process.wait(180) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert migrations(site) == 1
    assert_it_is_at_the_new_release(site, server, database)


def test_a_site_that_was_not_created_is_waited_for(pod: Pod, server: Server, database: str) -> None:
    ended = pod.run(*UPGRADE)
    assert (ended.code, ended.reason) == (1, "SiteNotCreated")


# What other commands do with the records.


def layout(pod: Pod, *more: str) -> tuple[int, str, str]:
    """`layout` in a pod with the site's volume: exit code, reason and message."""
    (pod.bench / "assets").mkdir(exist_ok=True)
    ended = pod.run(*layout_of(pod, f"--volume={pod.bench / 'sites'}", *more))
    return ended.code, ended.reason, ended.message


def test_a_pod_of_another_release_does_not_start(site: Pod) -> None:
    code, reason, message = layout(site)
    assert (code, reason) == (1, "ReleaseMismatch")
    assert f"site {SITE} is at release old with frappe 15.51.1, but this pod has frappe 15.60.0" in message
    assert layout(site, "--upgrading")[0] == 0
    site.run(*UPGRADE)
    assert layout(site)[0] == 0
    site.add_app("frappe", "__version__ = '15.51.1'\n")
    assert layout(site)[:2] == (1, "ReleaseMismatch"), "nor does old code on the new database"


def test_an_app_more_or_less_in_the_image_does_not_keep_a_pod_from_starting(site: Pod) -> None:
    site.add_app("frappe", "__version__ = '15.51.1'\n")
    site.add_app("crm", "__version__ = '1.0.0'\n")
    shutil.rmtree(site.bench / "apps" / "hrms")
    assert layout(site)[0] == 0


def test_a_pod_of_a_site_without_records_starts(site: Pod) -> None:
    (site.bench / "sites" / SITE / ".frappe-operator" / "release.json").unlink()
    assert layout(site)[0] == 0


@pytest.mark.parametrize("version", ["15.51.1", "15.60.0"])
def test_no_pod_starts_and_nothing_is_installed_while_an_upgrade_is_under_way(site: Pod, version: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill"
    site.run(*UPGRADE)
    site.add_app("frappe", f"__version__ = '{version}'\n")
    assert layout(site)[:2] == (1, "UpgradeRunning")
    ended = site.run("install-apps", f"--site={SITE}", "--apps=hrms")
    assert (ended.code, ended.reason) == (1, "UpgradeRunning")
    ended = site.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "UpgradeRunning")


def test_after_a_failure_pods_of_the_old_release_start(site: Pod) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:exit"
    site.run(*UPGRADE)
    assert layout(site)[:2] == (1, "ReleaseMismatch")
    site.add_app("frappe", "__version__ = '15.51.1'\n")
    assert layout(site)[0] == 0


# A site that is created again from its volume.


def test_a_site_that_is_taken_up_is_upgraded(site: Pod, server: Server, database: str) -> None:
    ended = site.run(*CREATE, "--release=new")
    assert ended.code == 0, ended.output
    assert (ended.report["created"], ended.report["release"]) == (False, "new")
    assert_it_is_at_the_new_release(site, server, database)


def test_a_site_that_is_taken_up_with_its_own_release_is_not_migrated(site: Pod) -> None:
    ended = site.run(*CREATE, "--release=old")
    assert (ended.code, ended.report["release"]) == (0, "old")
    assert migrations(site) == 0


@pytest.mark.parametrize(("version", "migrated"), [("15.51.1", 0), ("15.60.0", 1)])
def test_a_site_without_records_is_taken_up_by_its_version(site: Pod, version: str, migrated: int) -> None:
    (site.bench / "sites" / SITE / ".frappe-operator" / "release.json").unlink()
    site.add_app("frappe", f"__version__ = '{version}'\n")
    ended = site.run(*CREATE, "--release=new")
    assert (ended.code, ended.report["release"]) == (0, "new")
    assert migrations(site) == migrated
    assert read(site, "release.json")["apps"]["frappe"] == version


def test_a_site_that_cannot_be_upgraded_when_it_is_taken_up_is_as_it_was(
    site: Pod, server: Server, database: str
) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:exit:always"
    for _ in range(2):
        ended = site.run(*CREATE, "--release=new")
        assert (ended.code, ended.reason) == (64, "UpgradeFailed")
        assert "not upgraded from Frappe 15.51.1 to 15.60.0" in ended.message
        assert "it went wrong at in-a-patch" in ended.message
    assert migrations(site) == 1, "a restarted container does not try it again"
    assert_it_is_as_it_was(site, server, database)


@pytest.mark.parametrize("version", ["15.50.9", "14.99.0", "17.0.0"])
def test_a_site_is_not_taken_up_by_an_older_image_nor_by_one_that_is_two_major_versions_newer(
    site: Pod, server: Server, database: str, version: str
) -> None:
    site.add_app("frappe", f"__version__ = '{version}'\n")
    ended = site.run(*CREATE, "--release=new")
    assert (ended.code, ended.reason) == (64, "VersionNotSupported")
    assert_it_is_as_it_was(site, server, database)


def test_a_site_whose_upgrade_was_interrupted_is_taken_up(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill"
    site.run(*UPGRADE)
    ended = site.run(*CREATE, "--release=new")
    assert ended.code == 0, ended.output
    assert_it_is_at_the_new_release(site, server, database)


def test_a_site_that_is_created_anew_does_not_inherit_an_upgrade(site: Pod, server: Server, database: str) -> None:
    site.environment["FRAPPE_FAILS"] = "in-a-patch:kill"
    site.run(*UPGRADE)
    (site.bench / "sites" / SITE / ".frappe-operator" / "created.json").unlink()
    server.sql(f"DROP DATABASE IF EXISTS `{database}`; CREATE DATABASE `{database}` CHARACTER SET utf8mb4;")
    ended = site.run(*CREATE, "--release=new")
    assert ended.code == 0, ended.output
    assert layout(site)[0] == 0


# What is reported.


def said(out: str, err: str = "", code: int = 1) -> dict[str, Any]:
    return upgrade._said("migrate", Ended(code, out, err), 60)


def test_the_patch_is_the_one_that_did_not_end() -> None:
    out = "Executing a.first in s (_db)\nSuccess: Done in 0.1s\nExecuting execute:frappe.do(x, y) in s (_db)\n\tWhy\n"
    assert said(out)["patch"] == "execute:frappe.do(x, y)"
    assert said(f"{out}Success: Done in 1s\nExecuting `after_migrate` hooks...")["patch"] == ""


def test_what_is_reported_is_limited() -> None:
    lines = said("", "\n".join("\u00fc" * 1000 for _ in range(50)))
    assert len(json.dumps(lines)) < 3000
    assert lines["lines"]


def test_progress_is_no_cause() -> None:
    assert said("Updating DocTypes : [====] 100%", "ValueError: of it\n[==] 40%")["cause"] == "ValueError: of it"


def test_a_dump_is_not_one_without_its_record(tmp_path: Path) -> None:
    (tmp_path / "one.sql.gz").touch()
    assert not dump.is_complete(tmp_path / "one.sql.gz")
