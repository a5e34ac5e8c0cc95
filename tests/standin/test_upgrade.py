"""`upgrade-site` with the real programs: a site is migrated, or equals what it was, table by table."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from sandbox import images, standin_bench
from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import Rootfs, eventually
from tests.standin.test_with_the_runner import SITE, Pod, a_pod
from tests.standin.web import Client

OLD, NEW = "15.51.1", "15.52.0"


@dataclass
class Image:
    """Another release, unpacked beside the image."""

    version: str
    path: str

    @classmethod
    def build(cls, rootfs: Rootfs, version: str, patches: Sequence[str] = ()) -> "Image":
        made = cls(version, f"/releases/{'-'.join([version, *patches])}")
        folder = rootfs.inside(made.path)
        if not folder.exists():
            shutil.copytree(images.STANDIN / "bench", folder, ignore=shutil.ignore_patterns("__pycache__"))
            standin_bench.furnish(folder, made.path, version, "", patches)
        return made

    def start(self, pod: Pod) -> None:
        """The pod's image is this one from now on."""
        for part in ("apps", "assets"):
            link = pod.bench.rootfs.inside(f"{pod.bench.view}/{part}")
            link.unlink()
            link.symlink_to(f"{self.path}/{part}")

    @property
    def env(self) -> dict[str, str]:
        return {"PYTHONPATH": ":".join(f"{self.path}/apps/{app}" for app in ("frappe", "erpnext", "hrms"))}

    def upgrade(
        self, pod: Pod, attempt: str = "1", *, timeout: int = 120, told: str = "", remove: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run the upgrade Job's command in a pod of this image."""
        self.start(pod)
        return pod.run(
            *("upgrade-site", f"--site={SITE}", f"--release=r{self.version}", "--from=", f"--attempt={attempt}"),
            *("--keep-dumps=1", f"--timeout={timeout}", "--patience=5", f"--remove-apps={remove}"),
            env={**self.env, "STANDIN_FAIL": told},
        )


@pytest.fixture(scope="module")
def old(rootfs: Rootfs) -> Image:
    return Image.build(rootfs, OLD)


@pytest.fixture(scope="module")
def new(rootfs: Rootfs) -> Image:
    return Image.build(rootfs, NEW)


def a_site(bench: Bench, old: Image) -> Pod:
    pod = a_pod(bench)
    old.start(pod)
    made = pod.run(
        *("create-site", f"--site={SITE}", "--owner=shop/shop", "--bench-id=shop", "--host-name=http://shop.example"),
        "--max-file-size=1048576",
        f"--release=r{old.version}",
        env=old.env,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert pod.run("install-apps", f"--site={SITE}", "--apps=erpnext", env=old.env).returncode == 0
    pod.bench.root_sql(
        "INSERT INTO tabNote (name, title) VALUES ('one', 'Ö🙂\\n\\'\"')",
        "SELECT NEXTVAL(web_form_list_column_id_seq)",
        database=pod.database,
    )
    return pod


@pytest.fixture
def site(make_bench: Callable[..., Bench], old: Image) -> Pod:
    """A site at the old release, with some data."""
    return a_site(make_bench(standin_rows=3000), old)


@pytest.fixture(scope="module")
def migrated(make_bench: Callable[..., Bench], old: Image, new: Image) -> tuple[str, dict[str, str]]:
    """What a site looks like that was upgraded in one go."""
    pod = a_site(make_bench(standin_rows=3000), old)
    assert new.upgrade(pod).returncode == 0
    return pod.contents()


def everything(pod: Pod) -> tuple[object, list[list[str]], object]:
    """All definitions, the number of rows and the checksum of each table, and the site's configuration."""
    names = [
        row[0] for row in pod.bench.root_sql("SHOW FULL TABLES WHERE Table_type LIKE 'BASE%'", database=pod.database)
    ]
    listed = ", ".join(f"`{name}`" for name in names)
    sums = pod.bench.root_sql(f"CHECKSUM TABLE {listed}", database=pod.database)
    return pod.contents(), sums, pod.bench.read(f"{SITE}/site_config.json")


def sums(found: tuple[object, list[list[str]], object]) -> list[tuple[str, str]]:
    """The checksum of each table, by its name."""
    return [(table.partition(".")[2], total) for table, total in found[1]]


def desk(pod: Pod, image: Image) -> tuple[int, int]:
    """The status of a ping and of logging in, with the code of an image."""
    image.start(pod)
    with pod.bench.gunicorn(image.env) as port:
        client = Client(port, SITE)
        eventually(lambda: client.get("/api/method/ping").status == 200, "the site answers")
        return client.get("/api/method/ping").status, client.log_in().status


def test_a_site_is_migrated_and_serves_with_the_new_code(site: Pod, old: Image, new: Image) -> None:
    assert desk(site, old) == (200, 200)
    assert desk(site, new) == (200, 500), "the reason for all of this"
    done = new.upgrade(site)
    assert done.returncode == 0, done.stdout + done.stderr
    report = site.report()
    assert (report["outcome"], report["release"]) == ("migrated", f"r{NEW}")
    assert site.bench.read(f"{SITE}/.frappe-operator/release.json")["apps"]["frappe"] == NEW
    assert desk(site, new) == (200, 200)


@pytest.mark.parametrize(("patches", "timeout"), [("fails", 120), ("hangs", 8)])
def test_a_patch_that_fails_or_hangs_leaves_the_site_as_it_was(
    rootfs: Rootfs, site: Pod, old: Image, patches: str, timeout: int
) -> None:
    before = everything(site)
    image = Image.build(rootfs, "15.53.0", [patches])
    done = image.upgrade(site, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    report = site.report()
    assert (report["outcome"], report["release"]) == ("failed", f"r{OLD}")
    assert report["patch"] == f"frappe.patches.on_request_{patches}"
    causes = {"fails": "Unknown column 'no_such_column'", "hangs": "did not end within 8 seconds"}
    assert causes[patches] in str(report["cause"])
    assert everything(site) == before
    assert desk(site, old) == (200, 200)


@pytest.mark.parametrize("step", ["before-patches", "in-a-patch", "after-patches", "after-schema", "after-migrate"])
def test_wherever_a_migration_is_killed_the_next_run_makes_the_same_site(
    site: Pod, new: Image, migrated: tuple[str, dict[str, str]], step: str
) -> None:
    killed = new.upgrade(site, told=f"migrate:{step}:kill:1")
    assert killed.returncode == 0, killed.stdout + killed.stderr
    assert "was killed" in str(site.report()["cause"]), "frappe alone: the site was put back"
    done = new.upgrade(site, "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.report()["outcome"] == "migrated"
    assert site.contents() == migrated


def test_the_runner_is_killed_while_a_patch_runs(rootfs: Rootfs, site: Pod, old: Image, new: Image) -> None:
    before = everything(site)
    image = Image.build(rootfs, "15.53.0", ["hangs"])
    image.start(site)
    words = (
        "upgrade-site",
        f"--site={SITE}",
        "--release=h",
        "--from=",
        "--attempt=9",
        "--keep-dumps=1",
        "--timeout=99",
    )
    with site.running(*words, env=image.env):
        sleeping = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP%'"
        eventually(lambda: site.bench.root_sql(f"{sleeping} AND USER = '{site.database}'") == [["1"]], "the patch runs")
    # All of the pod's processes are gone now; their session in the database is not.
    assert site.bench.read(f"{SITE}/.frappe-operator/upgrade.json")["state"] == "migrating"
    done = old.upgrade(site, "back")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site.report()["outcome"], site.report()["release"]) == ("migrated", f"r{OLD}")
    assert everything(site) == before


def test_a_connection_that_is_lost_is_not_the_fault_of_the_release(rootfs: Rootfs, site: Pod) -> None:
    before = everything(site)
    image = Image.build(rootfs, "15.53.0", ["hangs"])
    image.start(site)
    words = ("upgrade-site", f"--site={SITE}", "--release=h", "--from=", "--attempt=9", "--keep-dumps=1", "--timeout=8")
    sleeping = f"FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP%' AND USER = '{site.database}'"
    with site.running(*words, env=image.env) as process:
        eventually(lambda: site.bench.root_sql(f"SELECT COUNT(*) {sleeping}") == [["1"]], "the patch runs")
        ((session,),) = site.bench.root_sql(f"SELECT ID {sleeping}")
        site.bench.root_sql(f"KILL {session}")
        assert process.ended_within(60) == 1
    assert site.report()["reason"] == "DatabaseUnavailable"
    done = site.run(*words, env=image.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "did not end within 8 seconds" in str(site.report()["cause"])
    assert everything(site) == before


def test_what_the_new_release_has_cached_is_forgotten_when_it_fails(rootfs: Rootfs, site: Pod) -> None:
    image = Image.build(rootfs, "15.53.0", ["fails"])
    redis = ["redis-cli", "-p", str(site.bench.redis_port)]
    keys = [f"{site.database}|doctype_meta::Note", f"{site.database}other|kept"]
    for key in keys:
        rootfs.run([*redis, "set", key, "of the new release"])
    image.upgrade(site)
    assert site.report()["outcome"] == "failed"
    assert [rootfs.run([*redis, "exists", key]).stdout.strip() for key in keys] == ["0", "1"]


def test_a_site_is_created_again_from_its_volume_by_a_newer_image(
    site: Pod, new: Image, migrated: tuple[str, dict[str, str]]
) -> None:
    new.start(site)
    made = site.run(
        *("create-site", f"--site={SITE}", "--owner=shop/shop", "--bench-id=shop", "--host-name=http://shop.example"),
        "--max-file-size=1048576",
        f"--release=r{NEW}",
        env=new.env,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert (site.report()["created"], site.report()["release"]) == (False, f"r{NEW}")
    assert site.contents() == migrated


def test_the_records_are_json_that_others_may_not_read(site: Pod, new: Image) -> None:
    assert new.upgrade(site).returncode == 0
    folder = site.bench.rootfs.inside(f"{site.bench.sites}/{SITE}/.frappe-operator")
    assert json.loads((folder / "upgrade.json").read_text())["state"] == "done"
    assert {path.stat().st_mode & 0o007 for path in folder.rglob("*.json")} == {0}
    (config,) = folder.glob("dumps/*.site_config.json")
    assert config.stat().st_mode & 0o777 == 0o600


def test_an_app_is_removed_with_its_tables_and_all_others_are_equal(site: Pod, old: Image) -> None:
    before = everything(site)
    done = old.upgrade(site, remove="erpnext")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site.report()["outcome"], site.report()["removed"]) == ("migrated", ["erpnext"])
    gone = {"tabCompany", "tabCustomer", "tabEmployee", "tabItem", "tabSales Invoice"}
    tables = [row[0] for row in site.bench.root_sql("SHOW TABLES", database=site.database)]
    assert not gone & set(tables)
    changed = {"tabDefaultValue", "tabDocType", "tabModule Def", "tabInstalled Application"}
    kept = {name: total for name, total in sums(before) if not name.startswith(tuple(gone | changed))}
    assert kept.items() <= dict(sums(everything(site))).items()
    assert desk(site, old) == (200, 200)
    assert site.run("install-apps", f"--site={SITE}", "--apps=erpnext", env=old.env).returncode == 0
    assert gone <= {row[0] for row in site.bench.root_sql("SHOW TABLES", database=site.database)}


@pytest.mark.parametrize("told", ["after-tables:exit", "after-tables:kill", "after-app:exit"])
def test_a_removal_that_fails_leaves_the_site_as_it_was(site: Pod, old: Image, told: str) -> None:
    before = everything(site)
    done = old.upgrade(site, remove="erpnext", told=f"uninstall-app:{told}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site.report()["outcome"], site.report()["release"]) == ("failed", f"r{OLD}")
    assert everything(site) == before
    assert desk(site, old) == (200, 200)
