"""The operator's own program in the stand-in's image: what it makes of a Frappe that dies under it."""

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from frappe_operator import runner
from tests.standin.bench_under_test import PYTHON, Bench
from tests.standin.rootfs import BENCH, Rootfs, Running, eventually
from tests.standin.web import Client

SITE, URL = "shop.example", "http://shop.example.com"


@dataclass
class Pod:
    """A pod of the site: the view that `layout` made, the Secrets, the runner."""

    bench: Bench
    database: str

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of the runner's commands."""
        return self.bench.rootfs.run([PYTHON, "/opt/frappe-operator", *words], env={**self.places, **(env or {})})

    def running(self, *words: str, env: Mapping[str, str] | None = None) -> AbstractContextManager[Running]:
        """One of the runner's commands, which is killed at the end of the block with all that it has started."""
        return self.bench.rootfs.running([PYTHON, "/opt/frappe-operator", *words], env={**self.places, **(env or {})})

    @property
    def places(self) -> dict[str, str]:
        return {
            "BENCH": self.bench.view,
            "SECRETS": f"{self.bench.view}/secrets",
            "TERMINATION_LOG": f"{self.bench.view}/logs/report",
        }

    def create(self, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.run(
            *("create-site", f"--site={SITE}", "--owner=shop/shop", "--bench-id=shop"),
            *(f"--host-name={URL}", "--max-file-size=2000000"),
            env=env,
        )

    def report(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self.bench.rootfs.inside(f"{self.bench.view}/logs/report").read_text())
        return read

    def contents(self) -> tuple[str, dict[str, str]]:
        """The shape of the database, and how many rows each table has."""
        server = ["--host=127.0.0.1", f"--port={self.bench.database_port}", "--user=chief"]
        dump = ["mariadb-dump", "--no-defaults", "--no-data", "--skip-comments", *server, self.database]
        shape = self.bench.rootfs.run(dump, env={"MYSQL_PWD": self.bench.root_password})
        assert shape.returncode == 0, shape.stderr
        names = [row[0] for row in self.bench.root_sql("SHOW TABLES", database=self.database)]
        counts = [f"SELECT '{name}', COUNT(*) FROM `{name}`" for name in names]  # noqa: S608
        rows = self.bench.root_sql(" UNION ".join(counts), database=self.database)
        # The view names its maker.
        return shape.stdout.replace(self.database, "site"), dict(rows)


def install_runner(rootfs: Rootfs) -> None:
    """Put the runner where pods have it."""
    folder = rootfs.folder("/opt/frappe-operator")
    for name, text in runner.files().items():
        (folder / name).write_text(text)


def a_pod(bench: Bench) -> Pod:
    inside = bench.rootfs.inside
    install_runner(bench.rootfs)
    for part in ("apps", "env", "assets"):
        (inside(bench.view) / part).symlink_to(f"{BENCH}/{part}")
    name = bench.database()
    address = {"host": "127.0.0.1", "port": str(bench.database_port)}
    for group, values in (
        ("database", {**address, "database": name, "username": name, "password": name}),
        ("admin", {"password": "open"}),
    ):
        folder = bench.rootfs.folder(f"{bench.view}/secrets/{group}")
        for key, value in values.items():
            (folder / key).write_text(value)
    bench.rootfs.folder(f"{bench.sites}/{SITE}")
    return Pod(bench, name)


@pytest.fixture
def pod(bench: Bench) -> Pod:
    return a_pod(bench)


@pytest.fixture(scope="module")
def whole_site(make_bench: Callable[..., Bench]) -> tuple[str, dict[str, str]]:
    """What a site that was made in one go looks like."""
    pod = a_pod(make_bench())
    done = pod.create()
    assert done.returncode == 0, done.stdout + done.stderr
    return pod.contents()


@pytest.mark.parametrize("step", ["after-config", "after-framework", "after-tables", "after-documents", "after-apps"])
def test_wherever_frappe_is_killed_the_next_run_makes_the_same_site(
    pod: Pod, whole_site: tuple[str, dict[str, str]], step: str
):
    killed = pod.create(env={"STANDIN_FAIL": f"new-site:{step}:kill"})
    assert killed.returncode == 1, killed.stdout + killed.stderr
    done = pod.create()
    assert done.returncode == 0, done.stdout + done.stderr
    assert pod.contents() == whole_site


INSTALL = ("install-apps", f"--site={SITE}", "--apps=frappe,hrms")


@pytest.fixture(scope="module")
def whole_site_with_apps(make_bench: Callable[..., Bench]) -> tuple[str, dict[str, str]]:
    """What a site looks like whose apps were installed in one go."""
    pod = a_pod(make_bench())
    assert pod.create().returncode == 0
    done = pod.run(*INSTALL)
    assert done.returncode == 0, done.stdout + done.stderr
    return pod.contents()


@pytest.mark.parametrize("step", ["before-tables", "half-way", "after-tables", "after-listed", "after-app"])
@pytest.mark.parametrize("how", ["kill", "exit"])
def test_wherever_an_installation_ends_the_next_run_makes_the_same_site(
    pod: Pod, whole_site_with_apps: tuple[str, dict[str, str]], step: str, how: str
):
    assert pod.create().returncode == 0
    ended = pod.run(*INSTALL, env={"STANDIN_FAIL": f"install-app:{step}:{how}"})
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert pod.report()["reason"] == "InstallationFailed"
    assert "%" not in str(pod.report()["message"]), "a progress bar is no reason"
    done = pod.run(*INSTALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pod.report()["apps"] == {"frappe": "15.51.1", "erpnext": "15.49.2", "hrms": "15.33.0"}
    shape, rows = pod.contents()
    # A real Frappe leaves such indexes as well, on a few tables: they cost a little space, and nothing reads them.
    assert (shape.replace(",\n  KEY `creation` (`creation`)", ""), rows) == whole_site_with_apps


@pytest.mark.parametrize("step", ["half-way", "after-listed"])
def test_frappe_itself_does_not_heal_an_installation_that_was_killed(
    pod: Pod, whole_site_with_apps: tuple[str, dict[str, str]], step: str
):
    """Why there is a mark: the same command again is refused, or says that all is well with a part missing."""
    assert pod.create().returncode == 0
    words = ("install-app", "erpnext", "hrms")
    pod.bench.command(*words, site=SITE, env={"STANDIN_FAIL": f"install-app:{step}:kill"})
    again = pod.bench.command(*words, site=SITE)
    if step == "half-way":
        assert again.returncode == 1
        assert "DuplicateEntryError: ('Module Def', 'Accounts')" in again.stderr
    else:
        assert again.returncode == 0
        assert pod.contents()[1] != whole_site_with_apps[1]


def test_the_image_is_read_and_its_assets_are_published(pod: Pod):
    pod.bench.rootfs.folder(f"{pod.bench.view}/common")
    done = pod.run("inspect-image", "--image-key=one", f"--common={pod.bench.view}/common", "--want-apps=hrms,crm")
    assert done.returncode == 0, done.stdout + done.stderr
    report = pod.report()
    assert (report["frappeVersion"], report["missing"]) == ("15.51.1", ["crm"])
    published = pod.bench.rootfs.inside(f"{pod.bench.view}/common/assets/one")
    for url in json.loads((published / "assets.json").read_text()).values():
        assert (published / url.removeprefix("/assets/")).is_file()
    assert not list(published.rglob("node_modules"))


def test_a_running_site_takes_up_another_address_size_of_uploads_and_password(pod: Pod):
    assert pod.create().returncode == 0
    path = "/api/method/standin.link?path=reset"
    words = ("configure-site", f"--site={SITE}", "--max-file-size=1000000", "--patience=0")
    secret = pod.bench.rootfs.inside(f"{pod.bench.view}/secrets/database/password")
    with pod.bench.gunicorn() as port:
        client = Client(port, SITE)
        eventually(lambda: client.get("/api/method/ping").status == 200, "the site answers")
        assert client.get(path).json() == {"message": f"{URL}/reset"}
        client.log_in()
        assert client.upload("tide.csv", b"x" * 1_500_000, private=False).status == 200
        assert client.upload("tides.csv", b"x" * 2_000_001, private=False).status == 413
        pod.bench.root_sql(f"ALTER USER '{pod.database}'@'%' IDENTIFIED BY 'rotated'")
        assert client.get("/api/method/ping").status == 500
        assert pod.run(*words, f"--host-name={URL}").returncode == 64, "the Secret has the old password still"
        secret.write_text("rotated")
        done = pod.run(*words, "--host-name=http://store.example.com")
        assert done.returncode == 0, done.stdout + done.stderr
        assert client.get("/api/method/ping").status == 200
        assert client.get(path).json() == {"message": "http://store.example.com/reset"}
        assert client.upload("tide.csv", b"x" * 1_500_000, private=False).status == 413
        assert client.upload("ebb.csv", b"x" * 900_000, private=False).status == 200
