"""`check-database`: a database of the user is rejected with what to change, or accepted unchanged."""

import json

import pytest

from . import server as servers
from .pod import Pod
from .server import Server

CHECK = ("check-database", "--frappe-version=15.51.1", "--owner=tenant/shop", "--patience=0")


def test_an_empty_database_is_taken_and_left_empty(pod: Pod, server: Server, database: str) -> None:
    ended = pod.run(*CHECK)
    assert ended.code == 0, ended.output
    assert server.tables(database) == set()


def test_killed_at_any_moment_it_ends_well_and_leaves_nothing(pod: Pod, server: Server, database: str) -> None:
    assert pod.killed_everywhere(*CHECK)
    assert server.tables(database) == set()


def test_a_wrong_password_is_reported_without_it(pod: Pod, server: Server, database: str) -> None:
    pod.secret("database", password="wrong-canary")
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "correct username and password in the Secret" in ended.message


def test_a_database_that_does_not_exist_is_reported_with_how_to_create_it(
    pod: Pod, server: Server, database: str
) -> None:
    server.sql(f"DROP DATABASE IF EXISTS `{database}`;")
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "CREATE DATABASE" in ended.message


def test_another_character_set_is_refused(pod: Pod, server: Server, database: str) -> None:
    server.sql(f"DROP DATABASE IF EXISTS `{database}`; CREATE DATABASE `{database}` CHARACTER SET latin1;")
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "ALTER DATABASE" in ended.message


@pytest.mark.parametrize("privilege", ["CREATE VIEW", "ALTER", "LOCK TABLES", "DELETE", "CREATE TEMPORARY TABLES"])
def test_a_privilege_that_lacks_is_named(pod: Pod, server: Server, database: str, privilege: str) -> None:
    server.sql(f"REVOKE {privilege} ON `{database}`.* FROM '{database}'@'%';")
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert f"lacks the privilege {privilege} on" in ended.message


def test_frappe_15_needs_a_user_named_like_the_database(pod: Pod, server: Server, database: str) -> None:
    pod.secret("database", username="somebody")
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "SecretInvalid")
    assert "use Frappe 16" in ended.message


def test_a_database_that_holds_something_is_refused_and_untouched(pod: Pod, server: Server, database: str) -> None:
    server.sql("CREATE TABLE tabInvoice (id INT);", database)
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "DatabaseNotEmpty")
    assert server.tables(database) == {"tabInvoice"}


def test_a_site_that_is_being_made_is_ours_or_another_s(pod: Pod, server: Server, database: str) -> None:
    server.sql("CREATE TABLE `__frappe_operator_creating` (id INT PRIMARY KEY) COMMENT = 'tenant/shop';", database)
    server.sql("CREATE TABLE tabUser (id INT);", database)
    assert pod.run(*CHECK).code == 0
    ended = pod.run(*(flag.replace("tenant", "neighbour") for flag in CHECK))
    assert (ended.code, ended.reason) == (64, "DatabaseNotEmpty")


def test_a_retained_site_is_recognised_by_its_volume(pod: Pod, server: Server, database: str) -> None:
    server.sql("CREATE TABLE tabUser (id INT);", database)
    folder = pod.bench / "sites" / "shop.example.com" / ".frappe-operator"
    folder.mkdir(parents=True)
    (folder / "created.json").write_text(json.dumps({"owner": "tenant/shop", "database": database}))
    assert pod.run(*CHECK).code == 0
    (folder / "created.json").write_text(json.dumps({"owner": "tenant/shop", "database": "another"}))
    assert pod.run(*CHECK).code == 64


def test_mysql_is_refused(pod: Pod) -> None:
    server = servers.fake(pod.root, version="8.0.36")
    server.serve(pod)
    server.sql(
        "CREATE DATABASE `shop`; CREATE USER 'shop'@'%' IDENTIFIED BY 'pw';"
        "GRANT ALL PRIVILEGES ON `shop`.* TO 'shop'@'%';"
    )
    pod.secret("database", host="db", port="3306", database="shop", username="shop", password="pw")
    ended = pod.run(*CHECK)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "requires MariaDB" in ended.message
