"""`prepare-database` and `drop-database` in the bench's own MariaDB."""

import json

import pytest

from .conftest import DATABASE
from .pod import Pod
from .server import Server

PREPARE = ("prepare-database", "--patience=0")
DROP = ("drop-database", "--patience=0")
NEIGHBOUR = "x0123456789abcdef_89abcdef"
"""A database to which an unescaped GRANT on the site's database would also give access."""


@pytest.fixture(autouse=True)
def secret(pod: Pod, server: Server) -> None:
    address = {"host": "127.0.0.1", "port": f"{server.port}\n"}
    pod.secret("database", **address, database=DATABASE, username=DATABASE, password='it\'s a "canary" \\ # \\s é\n')


def test_database_and_user_are_made_and_the_user_logs_in(pod: Pod, server: Server) -> None:
    ended = pod.run(*PREPARE)
    assert ended.code == 0, ended.output
    assert ended.report["database"] == DATABASE
    assert server.tables(DATABASE) == set()


def test_twice_is_as_good_as_once_and_brings_a_changed_password(pod: Pod, server: Server) -> None:
    pod.run(*PREPARE)
    pod.secret("database", password="other-canary")
    assert pod.run(*PREPARE).code == 0


def test_killed_at_any_moment_it_ends_well(pod: Pod, server: Server) -> None:
    assert pod.killed_everywhere(*PREPARE)
    assert pod.run(*PREPARE).code == 0


def test_a_database_that_is_there_keeps_its_tables(pod: Pod, server: Server) -> None:
    pod.run(*PREPARE)
    server.sql("CREATE TABLE tabUser (id INT);", DATABASE)
    assert pod.run(*PREPARE).code == 0
    assert server.tables(DATABASE) == {"tabUser"}


def test_a_neighbour_s_database_stays_closed(pod: Pod, server: Server) -> None:
    pod.run(*PREPARE)
    server.sql(f"CREATE DATABASE `{NEIGHBOUR}`;")
    try:
        pod.secret("database", database=NEIGHBOUR)
        ended = pod.run("check-database", "--frappe-version=16", "--owner=a/b", "--patience=0")
        assert (ended.code, ended.reason) == (64, "DatabaseRefused")
        assert "GRANT ALL" in ended.message
    finally:
        server.sql(f"DROP DATABASE IF EXISTS `{NEIGHBOUR}`;")


@pytest.mark.parametrize(
    "name", ["mysql", "tenant_shop", "_0123456789abcdef_89abcdef`; DROP DATABASE x", "a`b", "--help"]
)
@pytest.mark.parametrize("command", [PREPARE, DROP])
def test_with_root_s_rights_only_names_that_the_operator_gave_are_touched(
    pod: Pod, server: Server, command: tuple[str, ...], name: str
) -> None:
    pod.secret("database", database=name, username=name)
    assert pod.run(*command).reason == "SecretInvalid"


def test_a_server_that_is_away_is_waited_for_and_then_reported(pod: Pod, server: Server) -> None:
    pod.secret("database-admin", port="1")
    if server.state is not None:
        server.state.unlink()
    ended = pod.run(*PREPARE)
    assert (ended.code, ended.reason) == (1, "DatabaseUnavailable")


def test_a_wrong_root_password_is_tried_again(pod: Pod, server: Server) -> None:
    pod.secret("database-admin", password="wrong-canary")
    ended = pod.run(*PREPARE)
    assert (ended.code, ended.reason) == (1, "DatabaseUnavailable")
    assert "127 restarts when the Secret" in ended.message, "of the Service the host is named after"


def test_a_dropped_database_is_gone_with_its_user_and_dropping_again_is_fine(pod: Pod, server: Server) -> None:
    pod.run(*PREPARE)
    assert pod.run(*DROP).code == 0
    assert pod.run(*DROP).code == 0
    ended = pod.run("check-database", "--frappe-version=16", "--owner=a/b", "--patience=0")
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")


@pytest.mark.parametrize("key", ["host", "port", "database", "username", "password"])
def test_a_secret_that_lacks_a_key_is_named_with_the_key(pod: Pod, server: Server, key: str) -> None:
    (pod.root / "secrets" / "database" / key).unlink()
    ended = pod.run(*PREPARE)
    assert (ended.code, ended.reason) == (64, "SecretInvalid")
    assert f"no key {key}" in ended.message


def test_a_report_is_one_json_object(pod: Pod, server: Server) -> None:
    pod.run(*PREPARE)
    report = json.loads((pod.root / "termination-log").read_text())
    assert report == {
        "ok": True,
        "reason": "Succeeded",
        "message": "prepare-database has succeeded",
        "blocked": False,
        "database": DATABASE,
    }
