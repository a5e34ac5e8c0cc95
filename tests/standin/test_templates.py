"""A site that is copied from a template equals one that is made the long way, whatever happens on the way."""

import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.standin.bench_under_test import PYTHON, Bench
from tests.standin.rootfs import BENCH, SERVER, Rootfs, eventually, free_port
from tests.standin.test_drop_keys import PASSWORD, Redis
from tests.standin.test_with_the_runner import SITE, URL, install_runner
from tests.standin.web import Client

FATAL = Path(__file__).parents[1] / "unit" / "runner" / "fakes" / "fatal.py"
KEY, APPS = "abcdef012345", "frappe,erpnext,hrms"
STORE = "_0123456789abcdef_00000000"
SCRATCH = "_0123456789abcdef_abcdef01"
OF_TEMPLATE = (f"--template={KEY}", "--site=abcdef012345.template.invalid", "--bench-id=bench-template-abcdef012345")


@dataclass
class Pod:
    """A pod with the runner: its view, its Secrets, and the Redis that it uses."""

    bench: Bench
    redis_port: int

    def __post_init__(self) -> None:
        for part in ("apps", "env", "assets"):
            (self.bench.rootfs.inside(self.bench.view) / part).symlink_to(f"{BENCH}/{part}")
        address = {"host": "127.0.0.1", "port": str(self.bench.database_port)}
        self.secret("database-admin", **address, username="chief", password=self.bench.root_password)
        self.secret("redis", password=PASSWORD)
        self.secret("admin", password="open")
        self.bench.rootfs.folder(f"{self.bench.view}/out")
        self.bench.rootfs.folder(f"{self.bench.view}/secrets/database")

    def secret(self, group: str, **values: str) -> None:
        folder = self.bench.rootfs.folder(f"{self.bench.view}/secrets/{group}")
        for key, value in values.items():
            (folder / key).write_text(value)

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, kill_at: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the runner's commands. `kill_at`: before which of its side effects it is killed."""
        view, program = self.bench.view, ["-I", "/opt/fatal.py"] if kill_at else []
        places = {"BENCH": view, "SECRETS": f"{view}/secrets", "TERMINATION_LOG": f"{view}/logs/report"}
        more = {"REDIS_PORT": str(self.redis_port), "KILL_AT": str(kill_at), **(env or {})}
        # Not as the first process of its namespace, which nothing inside can kill.
        argv = ["sh", "-c", '"$@"; exit $?', "sh", PYTHON, *program, "/opt/frappe-operator", *words]
        return self.bench.rootfs.run(argv, env={**places, **more})

    def well(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command that succeeds; returns what it prints."""
        done = self.run(*words, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def report(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self.bench.rootfs.inside(f"{self.bench.view}/logs/report").read_text())
        return read


class Template(Pod):
    """The pod that makes a template."""

    def prepare(self) -> tuple[str, ...]:
        connection = f"--connection={self.bench.view}/secrets/database"
        return ("prepare-template", *self.databases, "--owner=shop/bench/templates", connection)

    def make(self, apps: str = APPS) -> tuple[str, ...]:
        return ("make-template", *OF_TEMPLATE, f"--apps={apps}", f"--out={self.bench.view}/out")

    def publish(self) -> tuple[str, ...]:
        hosts = ("--redis-queue-host=127.0.0.1", "--redis-cache-host=127.0.0.1")
        return ("publish-template", *OF_TEMPLATE, *self.databases, f"--out={self.bench.view}/out", *hosts)

    @property
    def databases(self) -> tuple[str, str]:
        return (f"--database={SCRATCH}", f"--store={STORE}")


class Site(Pod):
    """The pods that create a site with its apps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.database = f"_{secrets.token_hex(8)}_{secrets.token_hex(4)}"
        address = {"host": "127.0.0.1", "port": str(self.bench.database_port)}
        login = {"database": self.database, "username": self.database, "password": self.database}
        self.secret("database", **address, **login)
        self.bench.rootfs.folder(f"{self.bench.sites}/{SITE}")
        self.bench.rootfs.folder(f"{self.bench.sites}/{SITE}/.frappe-operator")

    def prepare(self, template: str = KEY) -> str:
        return self.well("prepare-database", f"--site={SITE}", f"--template={template}", f"--store={STORE}")

    create = (
        *("create-site", f"--site={SITE}", "--owner=shop/shop", "--bench-id=shop", f"--host-name={URL}"),
        "--max-file-size=1048576",
        f"--template={KEY}",
    )

    def install(self) -> str:
        return self.well("install-apps", f"--site={SITE}", f"--apps={APPS}")

    def outcomes(self) -> list[str]:
        lines = self.bench.rootfs.inside(f"{self.bench.sites}/{SITE}/.frappe-operator/ledger.jsonl").read_text()
        return [json.loads(line)["outcome"] for line in lines.splitlines()]

    def content(self) -> dict[str, object]:
        """Every table: how it is made, and its rows without what differs between two sites that are made one way."""
        found: dict[str, object] = {}
        for name, kind in self.bench.root_sql("SHOW FULL TABLES", database=self.database):
            made = self.bench.root_sql(f"SHOW CREATE TABLE `{name}`", database=self.database)[0][1]
            found[f"{name}: shape"] = made.replace(self.database, "site").replace("chief", "")
            if kind != "SEQUENCE":
                rows = self.bench.root_sql(f"SELECT * FROM `{name}`", database=self.database)  # noqa: S608
                found[name] = sorted([_alike(value) for value in row] for row in rows)
        return found


def _alike(value: str) -> str:
    for pattern in (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", r"[0-9a-f]{10}", r"\$pbkdf2-sha256\$29000\$.*"):
        value = re.sub(f"^{pattern}$", "#", value)
    return value


@pytest.fixture(scope="module")
def redis(rootfs: Rootfs) -> Iterator[Redis]:
    server = Redis(rootfs, free_port())
    argv = ["redis-server", "--port", str(server.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", ""]
    install_runner(rootfs)
    shutil.copy(FATAL, rootfs.inside("/opt/fatal.py"))
    with rootfs.running(argv, user=SERVER, folder="/data"):
        ping = ["redis-cli", "-p", str(server.port), "ping"]
        eventually(lambda: "PONG" in rootfs.run(ping, env={"REDISCLI_AUTH": PASSWORD}).stdout, "Redis answers")
        yield server


@pytest.fixture(scope="module")
def template(make_bench: Callable[..., Bench], redis: Redis) -> Template:
    """A template that was made."""
    pod = Template(make_bench(**redis.common), redis.port)
    for words in (pod.prepare(), pod.make(), pod.publish()):
        pod.well(*words)
    assert pod.report()["reason"] == "Succeeded", pod.report()
    return pod


@pytest.fixture
def site(make_bench: Callable[..., Bench], redis: Redis) -> Site:
    return Site(make_bench(**redis.common), redis.port)


@pytest.fixture(scope="module")
def long_way(make_bench: Callable[..., Bench], redis: Redis) -> dict[str, object]:
    """A site that was made without a template."""
    site = Site(make_bench(**redis.common), redis.port)
    site.well("prepare-database")
    site.well(*site.create)
    site.install()
    assert site.outcomes() == ["started", "created"]
    return site.content()


def copied(site: Site) -> bool:
    return site.outcomes()[-1] == f"copied from template {KEY}"


def test_a_copy_equals_a_site_that_is_made_the_long_way(
    template: Template, site: Site, long_way: dict[str, object]
) -> None:
    site.prepare()
    site.well(*site.create)
    assert copied(site)
    apps = {"frappe": "15.51.1", "erpnext": "15.49.2", "hrms": "15.33.0"}
    assert site.report()["apps"] == apps
    # Nothing is left to install.
    assert "Installing" not in site.install()
    assert site.report()["apps"] == apps
    assert site.content() == long_way
    config = site.bench.read(f"{SITE}/site_config.json")
    assert {"encryption_key", "admin_password"}.isdisjoint(config)
    assert (config["db_name"], config["host_name"], config["bench_id"]) == (site.database, URL, "shop")
    assert not site.bench.rootfs.inside(f"{site.bench.sites}/{SITE}/.frappe-operator/template").exists()
    # Times are those of Frappe's time zone, in which jobs are planned.
    ages = site.bench.root_sql(
        "SELECT TIMESTAMPDIFF(SECOND, creation, CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', '+05:30')) "
        "FROM `tabScheduled Job Type` UNION SELECT TIMESTAMPDIFF(SECOND, creation, "
        "CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', '+05:30')) FROM tabUser",
        database=site.database,
    )
    assert all(0 <= int(age) < 120 for (age,) in ages)


def test_administrator_logs_in_to_a_copy_with_the_password_of_its_secret(template: Template, site: Site) -> None:
    site.prepare()
    site.well(*site.create)
    assert copied(site)
    with site.bench.gunicorn() as port:
        client = Client(port, SITE)
        eventually(lambda: client.get("/api/method/ping").status, "the site answers")
        assert client.get("/api/method/ping").status == 200, client.get("/api/method/ping")
        assert client.form("/api/method/login", usr="Administrator", pwd="wrong").status == 401
        assert client.form("/api/method/login", usr="Administrator", pwd="open").status == 200


def test_nothing_is_left_of_the_site_that_a_template_was_made_from(template: Template, redis: Redis) -> None:
    names = {row[0] for row in template.bench.root_sql("SHOW DATABASES")}
    assert STORE in names
    assert SCRATCH not in names
    users = {row[0] for row in template.bench.root_sql("SELECT User FROM mysql.user")}
    assert SCRATCH not in users
    assert not [key for key in redis.everything() if SCRATCH in key or "bench-template" in key]
    dump = template.bench.rootfs.inside(f"{template.bench.view}/out/template.sql.gz")
    text = subprocess.run(["gzip", "-cd", str(dump)], capture_output=True, check=True).stdout
    assert SCRATCH.encode() not in text
    assert b"template.invalid" not in text
    assert b"pbkdf2" not in text


def test_killed_anywhere_a_copy_ends_as_the_same_site(
    template: Template, site: Site, long_way: dict[str, object]
) -> None:
    site.prepare()
    deaths = 0
    while site.run(*site.create, kill_at=deaths + 1).returncode not in (0, 1, 64):
        deaths += 1
        assert deaths < 300
    assert deaths > 20
    assert site.report()["ok"], site.report()
    assert copied(site)
    assert site.content() == long_way


def test_killed_while_the_database_is_being_filled_it_ends_as_the_same_site(
    template: Template, site: Site, long_way: dict[str, object]
) -> None:
    folder = site.bench.rootfs.folder(f"{site.bench.view}/programs")
    (folder / "mariadb").write_text(
        '#!/bin/sh\ncase "$*" in *max-allowed-packet*) head -c 12000 | /usr/bin/mariadb "$@"; kill -9 $PPID;; esac\n'
        'exec /usr/bin/mariadb "$@"\n'
    )
    (folder / "mariadb").chmod(0o755)
    site.prepare()
    path = f"{site.bench.view}/programs:/usr/local/bin:/usr/bin:/bin"
    assert site.run(*site.create, env={"PATH": path}).returncode not in (0, 1, 64)
    half = site.bench.root_sql("SHOW TABLES", database=site.database)
    assert 1 < len(half) < len(long_way) // 2
    site.well(*site.create)
    assert copied(site)
    assert site.content() == long_way


@pytest.mark.parametrize(
    ("poison", "said"),
    [
        ("UPDATE piece SET data = CONCAT(data, 'x') WHERE number = 0", "checksum"),
        ("UPDATE template SET record = REPLACE(record, '15.49.2', '15.49.1')", "erpnext 15.49.1"),
        ("UPDATE template SET record = REPLACE(record, 'abcdef012345', 'another')", "it is template another"),
        ("DELETE FROM piece", "checksum"),
    ],
)
def test_a_template_that_was_changed_is_refused_and_the_site_is_made_the_long_way(
    template: Template, site: Site, long_way: dict[str, object], poison: str, said: str
) -> None:
    template.bench.root_sql(poison, database=STORE)
    try:
        site.prepare()
        output = site.well(*site.create)
    finally:
        template.bench.root_sql(f"DROP DATABASE {STORE}")
        template.well(*template.publish())
    assert said in output
    assert site.outcomes() == ["started", "created"]
    site.install()
    assert site.content() == long_way


def test_without_a_template_the_database_is_prepared_and_the_site_is_made_the_long_way(site: Site) -> None:
    assert "has no template" in site.prepare("0123456789ab") or "cannot be read" in site.prepare("0123456789ab")
    site.well(*site.create)
    assert site.outcomes() == ["started", "created"]


def test_a_site_that_exists_is_given_no_template(template: Template, site: Site) -> None:
    site.prepare()
    site.well(*site.create)
    before = site.content()
    site.prepare()
    assert not site.bench.rootfs.inside(f"{site.bench.sites}/{SITE}/.frappe-operator/template").exists()
    site.well(*site.create)
    assert site.content() == before


@pytest.mark.parametrize(
    "step", ["new-site:after-tables:kill", "install-app:half-way:kill", "install-app:after-app:exit"]
)
def test_wherever_the_making_of_a_template_is_interrupted_it_is_begun_anew(
    make_bench: Callable[..., Bench],
    redis: Redis,
    template: Template,
    site: Site,
    long_way: dict[str, object],
    step: str,
) -> None:
    pod = Template(make_bench(**redis.common), redis.port)
    pod.well(*pod.prepare())
    assert pod.run(*pod.make(), env={"STANDIN_FAIL": step}).returncode == 1
    pod.well(*pod.make())
    pod.well(*pod.publish())
    site.prepare()
    site.well(*site.create)
    assert copied(site)
    assert site.content() == long_way


def test_an_app_that_cannot_be_installed_is_not_attempted_for_ever(
    make_bench: Callable[..., Bench], redis: Redis
) -> None:
    pod = Template(make_bench(**redis.common), redis.port)
    pod.well(*pod.prepare())
    codes = [pod.run(*pod.make(), env={"STANDIN_FAIL": "install-app:before-tables:exit"}).returncode for _ in range(4)]
    assert codes == [1, 1, 1, 0]
    pod.well(*pod.publish())
    assert (pod.report()["ok"], pod.report()["reason"]) == (True, "InstallationFailed")
    assert SCRATCH not in {row[0] for row in pod.bench.root_sql("SHOW DATABASES")}


def test_a_database_of_another_owner_is_not_touched(make_bench: Callable[..., Bench], redis: Redis) -> None:
    pod = Template(make_bench(**redis.common), redis.port)
    pod.bench.root_sql(f"CREATE DATABASE `{SCRATCH}`", f"CREATE TABLE `{SCRATCH}`.precious (id INT)")
    try:
        ended = pod.run(*pod.prepare())
        assert ended.returncode == 64
        assert pod.report()["reason"] == "DatabaseNotEmpty"
        assert pod.bench.root_sql("SHOW TABLES", database=SCRATCH) == [["precious"]]
    finally:
        pod.bench.root_sql(f"DROP DATABASE `{SCRATCH}`")


def test_killed_anywhere_nothing_is_left_of_the_databases_of_a_template(
    make_bench: Callable[..., Bench], redis: Redis
) -> None:
    pod = Template(make_bench(**redis.common), redis.port)
    for words in (pod.prepare(), pod.publish()):
        deaths = 0
        if words[0] == "publish-template":
            pod.bench.write("../out/refused.json", {"reason": "TemplateUnfit", "message": "none"})
        while pod.run(*words, kill_at=deaths + 1).returncode not in (0, 1, 64):
            deaths += 1
            assert deaths < 100
        assert pod.report()["ok"], pod.report()
    assert SCRATCH not in {row[0] for row in pod.bench.root_sql("SHOW DATABASES")}
