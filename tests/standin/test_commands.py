"""Commands on a site that exists: what they change, and how they end."""

import gzip
import json
import tarfile
from collections.abc import Callable

import pytest

from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import eventually

SITE = "shop.example"


@pytest.fixture(scope="module")
def shop(make_bench: Callable[..., Bench]) -> Bench:
    made = make_bench()
    made.made(SITE)
    return made


def test_a_site_that_is_not_there_is_named(shop: Bench):
    done = shop.command("list-apps", site="gone.example")
    assert (done.returncode, done.stdout) == (1, "Site gone.example does not exist!\n")
    assert shop.command("list-apps").returncode == 1
    assert shop.command("no-such-command", site=SITE).returncode == 2


def test_apps_are_installed_with_those_they_need_and_removed_only_when_nothing_needs_them(shop: Bench):
    assert shop.command("install-app", "hrms", site=SITE).returncode == 0
    assert shop.command("list-apps", site=SITE).stdout.split() == ["frappe", "erpnext", "hrms"]
    again = shop.command("install-app", "hrms", site=SITE)
    assert (again.returncode, "already installed" in again.stdout) == (0, True)
    assert shop.command("install-app", "nothing", site=SITE).returncode == 1
    refused = shop.command("uninstall-app", "erpnext", "--yes", "--no-backup", site=SITE)
    assert (refused.returncode, "dependency of hrms" in refused.stdout) == (0, True)
    assert shop.command("uninstall-app", "hrms", "--yes", "--no-backup", site=SITE).returncode == 0
    assert shop.command("list-apps", site=SITE).stdout.split() == ["frappe", "erpnext"]


def test_apps_have_versions_once_the_site_was_migrated(shop: Bench):
    assert json.loads(shop.command("list-apps", "-f", "json", site=SITE).stdout) == {SITE: []}
    assert shop.command("migrate", site=SITE).returncode == 0
    assert shop.command("list-apps", site=SITE).stdout.startswith("frappe 15.51.1 version-15\n")
    assert shop.command("migrate", site=SITE).returncode == 0


def test_a_patch_runs_once(bench: Bench):
    name = bench.made(SITE)
    bench.root_sql("DELETE FROM `tabPatch Log`", database=name)
    patch = "Executing frappe.patches.v15_50_note_is_public"
    assert patch in bench.command("migrate", site=SITE).stdout
    assert patch not in bench.command("migrate", site=SITE).stdout


def test_a_migration_needs_redis_and_leaves_a_part_when_it_fails(shop: Bench):
    away = {"FRAPPE_REDIS_CACHE": "redis://127.0.0.1:1/0"}
    assert shop.command("migrate", site=SITE, env=away).returncode == 1
    failing = {"STANDIN_FAIL": "migrate:after-schema:exit"}
    assert shop.command("migrate", site=SITE, env=failing).returncode == 1


def test_the_admin_password_is_read_from_standard_input(bench: Bench):
    name = bench.database()
    connection = ["--db-password", name, "--db-host", "127.0.0.1", "--db-port", str(bench.database_port)]
    words = ["new-site", SITE, "--no-setup-db", "--db-name", name, *connection]
    assert bench.command(*words, said="one\none\n").returncode == 0
    assert "admin_password" not in bench.read(f"{SITE}/site_config.json")
    assert bench.command("set-admin-password", site=SITE, said="other\n").returncode == 0


def test_without_an_admin_password_a_half_made_site_is_left(bench: Bench):
    name = bench.prepared(SITE)
    bench.write(f"{SITE}/site_config.json", {**bench.read(f"{SITE}/site_config.json"), "admin_password": None})
    assert bench.new_site(SITE, name).returncode == 1
    assert "tabUser" in {row[0] for row in bench.root_sql("SHOW TABLES", database=name)}


def test_a_site_can_make_its_database_as_root_and_be_dropped_with_it(bench: Bench):
    root = ["--db-root-username", "chief", "--db-root-password", bench.root_password]
    server = ["--db-host", "127.0.0.1", "--db-port", str(bench.database_port), "--admin-password", "open"]
    made = bench.command("new-site", SITE, *root, *server, "--mariadb-user-host-login-scope=%", "--install-app=erpnext")
    assert made.returncode == 0, made.stdout + made.stderr
    name = bench.read(f"{SITE}/site_config.json")["db_name"]
    archive = f"{bench.view}/archived"
    dropped = bench.command("drop-site", SITE, *root, "--archived-sites-path", archive)
    assert dropped.returncode == 0, dropped.stdout + dropped.stderr
    assert [name] not in bench.root_sql("SHOW DATABASES")
    assert bench.rootfs.inside(f"{archive}/{SITE}/site_config.json").exists()
    assert bench.command("drop-site", SITE, *root).returncode == 1


def test_dropped_with_its_own_user_a_site_loses_its_database_and_keeps_its_directory(bench: Bench):
    name = bench.made(SITE)
    own = ["--db-root-username", name, "--db-root-password", name, "--no-backup"]
    assert bench.command("drop-site", SITE, *own).returncode == 1
    assert [name] not in bench.root_sql("SHOW DATABASES")
    assert bench.rootfs.inside(f"{bench.sites}/{SITE}").exists()


def test_a_backup_is_a_dump_tars_and_the_configuration(shop: Bench):
    done = shop.command("backup", "--with-files", site=SITE)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = shop.rootfs.inside(f"{shop.sites}/{SITE}/private/backups")
    by_kind = {path.name.partition("-shop_example-")[2]: path for path in folder.iterdir()}
    assert {"database.sql.gz", "files.tar", "private-files.tar", "site_config_backup.json"} <= set(by_kind)
    assert "CREATE TABLE `tabUser`" in gzip.decompress(by_kind["database.sql.gz"].read_bytes()).decode()
    with tarfile.open(by_kind["files.tar"]) as tar:
        assert f"./{SITE}/public/files" in tar.getnames()


def test_configuration_is_set_as_frappe_reads_words(shop: Bench):
    for words, value in ((("one", "1"), 1), (("word", "x"), "x"), (("listed", "[1]", "-p"), [1])):
        shop.command("set-config", *words, site=SITE)
        assert shop.read(f"{SITE}/site_config.json")[words[0]] == value
    shop.command("set-config", "word", "None", site=SITE)
    assert "word" not in shop.read(f"{SITE}/site_config.json")
    assert json.loads(shop.command("show-config", "-f", "json", site=SITE).stdout)[SITE]["one"] == 1


def test_the_scheduler_is_off_in_a_new_site_until_it_is_enabled(bench: Bench):
    bench.made(SITE)
    for command, status in (("", "disabled"), ("enable-scheduler", "enabled"), ("disable-scheduler", "disabled")):
        if command:
            assert bench.command(command, site=SITE).returncode == 0
        assert status in bench.command("scheduler", "status", site=SITE).stdout


def test_a_failure_that_is_asked_for_so_many_times_happens_so_many_times(bench: Bench):
    name = bench.prepared(SITE, standin_fail="new-site:after-framework:kill:2")
    assert [bench.new_site(SITE, name).returncode == 0 for _ in range(3)] == [False, False, True]


def test_only_one_migration_runs_at_a_time(bench: Bench):
    bench.made(SITE)
    argv = bench.argv("migrate", site=SITE)
    with bench.rootfs.running(argv, folder=bench.sites, env={"STANDIN_FAIL": "migrate:before-patches:hang"}):
        lock = bench.rootfs.inside(f"{bench.sites}/{SITE}/locks/bench_migrate.lock")
        eventually(lock.exists, "the first migration holds the lock")
        done = bench.command("migrate", site=SITE)
    assert (done.returncode, "LockTimeoutError" in done.stderr or "lock" in done.stdout) == (1, True)
