"""A site on a database that is not ours: what is wrong is said, and nothing is touched before it is right."""

import json

import pytest

from tests.e2e.conftest import Settled
from tests.e2e.namespace import Town

pytestmark = [pytest.mark.node]

BENCH, SITE, HOST, DATABASE = "orchard", "damson", "damson.example.com", "damson"
PASSWORD, ROTATED = "not-in-any-log-7351", "not-in-any-log-7351-but-newer"


def sql(settled: Settled, statements: str) -> str:
    """Has somebody else's administrator do something on a server in somebody else's namespace."""
    script = 'mariadb --no-defaults -N -u root --password="$(cat /run/secrets/frappe-operator/password)"'
    pod = "orchard-mariadb-0"
    return settled.town.run("exec", "--stdin", pod, "--", "sh", "-c", script, given=statements)


def connection(town: Town, **changes: str) -> None:
    """The user's Secret."""
    data = {
        "host": "orchard-mariadb.settled.svc",
        "port": "3306",
        "database": DATABASE,
        "username": DATABASE,
        "password": PASSWORD,
        **changes,
    }
    meta = {"namespace": town.namespace, "name": "mine"}
    town.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})


def test_an_external_database_is_checked_then_used_then_left_alone(town: Town, settled: Settled) -> None:
    town.bench(BENCH)
    external = {"mode": "external", "connectionSecretRef": {"name": "mine"}}
    town.site(SITE, BENCH, HOST, deletionPolicy="Delete", dbConfig=external)
    told(town, "Ready", "Secret mine does not exist")
    connection(town, username="another")
    told(town, "Ready", "username is another and database is damson")

    user = f"'{DATABASE}'@'%'"
    sql(settled, f"CREATE DATABASE {DATABASE}; CREATE TABLE {DATABASE}.theirs (id INT)")
    sql(settled, f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON {DATABASE}.* TO {user}")
    connection(town)
    told(town, "DatabaseReady", "tables that are not this site's")
    assert sql(settled, f"SHOW TABLES IN {DATABASE}").split() == ["theirs"]

    sql(settled, f"DROP TABLE {DATABASE}.theirs")
    # The Job would look again by itself within five minutes.
    town.run("delete", "pod", "--selector=vyogo.tech/component=database", "--wait=false")
    town.until_ready("frappesite", SITE)
    assert json.loads(town.visitor(BENCH, HOST).get("/api/method/ping").body) == {"message": "pong"}
    assert town.get("fs", SITE)["status"]["dbConnectionSecret"] == "mine"
    web = town.get("deployment", f"{SITE}-gunicorn")["metadata"]["generation"]
    sql(settled, f"ALTER USER {user} IDENTIFIED BY '{ROTATED}'")
    connection(town, password=ROTATED)
    town.until_ready("frappesite", SITE)
    town.until(lambda: _pings(town), "the rotated password to reach the running site", 120)
    assert town.get("deployment", f"{SITE}-gunicorn")["metadata"]["generation"] == web, "no pod was restarted for it"
    assert PASSWORD not in town.run("get", "all,configmaps,events,fb,fs", "-o", "yaml")

    town.run("delete", "fs", SITE, "--timeout=180s")
    assert "tabDefaultValue" in sql(settled, f"SHOW TABLES IN {DATABASE}")
    assert town.find("secret", "mine") is not None


def _pings(town: Town) -> bool:
    return town.visitor(BENCH, HOST).get("/api/method/ping").status == 200


def told(town: Town, condition: str, words: str) -> None:
    """Waits until a condition of the site says these words, and the site is said to need its owner."""
    town.until(lambda: words in town.condition("fs", SITE, condition)["message"], f"{words!r} to be said", 120)
    assert town.condition("fs", SITE, "Stalled")["status"] == "True"
