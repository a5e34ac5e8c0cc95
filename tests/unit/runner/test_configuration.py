"""`configure-site`: a changed address or changed credentials are applied to a running site, and invalid ones are
not."""

import json
from pathlib import Path

import pytest

from .pod import Pod
from .server import Server
from .test_creation import CREATE, SITE

ADDRESS = ("--host-name=http://store.example.com", "--max-file-size=2097152")
CONFIGURE = ("configure-site", f"--site={SITE}", *ADDRESS, "--patience=0")


@pytest.fixture
def made(pod: Pod, server: Server, database: str) -> Path:
    """The site_config.json of a created site, with a key that Frappe wrote."""
    assert pod.run(*CREATE).code == 0
    path = pod.bench / "sites" / SITE / "site_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "encryption_key": "canary of frappe"}))
    return path


def test_a_new_address_and_a_new_password_are_merged(pod: Pod, server: Server, database: str, made: Path) -> None:
    before = json.loads(made.read_text())
    server.sql(f"ALTER USER '{database}'@'%' IDENTIFIED BY 'new-canary';")
    pod.secret("database", password="new-canary")
    ended = pod.run(*CONFIGURE)
    assert ended.code == 0, ended.output
    after = {**before, "db_password": "new-canary", "host_name": "http://store.example.com", "max_file_size": 2097152}
    assert json.loads(made.read_text()) == after
    assert made.stat().st_mode & 0o777 == 0o600


def test_credentials_that_do_not_work_leave_the_site_alone(pod: Pod, made: Path) -> None:
    before = made.read_text()
    pod.secret("database", password="mistyped-canary")
    ended = pod.run(*CONFIGURE)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "correct username and password" in ended.message
    assert made.read_text() == before


def test_a_database_that_is_away_leaves_the_site_alone(pod: Pod, server: Server, made: Path) -> None:
    before = made.read_text()
    pod.secret("database", host="127.0.0.2", port="1")
    if server.state is not None:
        server.state.unlink()
    ended = pod.run(*CONFIGURE)
    assert (ended.code, ended.reason) == (1, "DatabaseUnavailable")
    assert made.read_text() == before


def test_a_database_without_the_site_leaves_the_site_alone(pod: Pod, server: Server, database: str, made: Path) -> None:
    before = made.read_text()
    for kind, name in (("VIEW", "people"), ("TABLE", "tabDefaultValue"), ("TABLE", "tabUser")):
        server.sql(f"DROP {kind} IF EXISTS `{name}`;", database)
    ended = pod.run(*CONFIGURE)
    assert (ended.code, ended.reason) == (64, "DatabaseLost")
    assert "keeps its current connection" in ended.message
    assert made.read_text() == before


def test_in_the_benchs_own_mariadb_the_secret_decides_the_password(
    pod: Pod, server: Server, database: str, made: Path
) -> None:
    pod.secret("database", password="made-again-canary")
    ended = pod.run(*CONFIGURE, "--set-password")
    assert ended.code == 0, ended.output
    assert json.loads(made.read_text())["db_password"] == "made-again-canary"
    server.sql("SELECT 1;", database)


def test_it_heals_wherever_it_is_killed(pod: Pod, server: Server, database: str, made: Path) -> None:
    pod.secret("database", password="made-again-canary")
    assert len(pod.killed_everywhere(*CONFIGURE, "--set-password")) > 3
    after = json.loads(made.read_text())
    assert (after["db_password"], after["encryption_key"]) == ("made-again-canary", "canary of frappe")


def test_a_site_that_is_not_made_yet_is_waited_for(pod: Pod, server: Server, database: str) -> None:
    ended = pod.run(*CONFIGURE)
    assert (ended.code, ended.reason) == (1, "SiteNotCreated")


def test_where_the_data_is_now_is_noted_beside_it(pod: Pod, server: Server, database: str, made: Path) -> None:
    """When the site is created again, check-database recognises by this record the site's own database."""
    marker = made.parent / ".frappe-operator" / "created.json"
    made_in = json.loads(marker.read_text())
    marker.write_text(json.dumps({**made_in, "host": "old.example.com"}))
    assert pod.run(*CONFIGURE).code == 0
    assert json.loads(marker.read_text()) == made_in


def test_a_site_is_taken_up_without_a_password_for_its_administrator(pod: Pod, made: Path) -> None:
    (pod.root / "secrets" / "admin" / "password").unlink()
    ended = pod.run(*CREATE)
    assert ended.code == 0, ended.output
    assert ended.report["created"] is False


def test_a_site_is_not_made_without_a_password_for_its_administrator(pod: Pod, server: Server, database: str) -> None:
    (pod.root / "secrets" / "admin" / "password").unlink()
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (64, "SecretNotFound")


def test_a_connection_secret_that_was_made_again_gives_the_user_its_password(
    pod: Pod, server: Server, database: str
) -> None:
    pod.secret("database", password="made-again-canary")
    assert pod.run(*CREATE).reason == "DatabaseRefused"
    assert pod.run(*CREATE, "--set-password").code == 0
