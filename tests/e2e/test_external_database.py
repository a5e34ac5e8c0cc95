"""A site with an external database: problems are reported, and nothing is written to it before they are solved."""

import json

import pytest

from tests.e2e.conftest import Settled
from tests.e2e.namespace import Namespace

pytestmark = [pytest.mark.node]

BENCH, SITE, HOST, DATABASE = "orchard", "damson", "damson.example.com", "damson"
PASSWORD, ROTATED = "not-in-any-log-7351", "not-in-any-log-7351-but-newer"


def sql(settled: Settled, statements: str) -> str:
    """Has somebody else's administrator do something on a server in somebody else's namespace."""
    script = 'mariadb --no-defaults -N -u root --password="$(cat /run/secrets/frappe-operator/password)"'
    pod = "orchard-mariadb-0"
    return settled.namespace.run("exec", "--stdin", pod, "--", "sh", "-c", script, given=statements)


def connection(namespace: Namespace, **changes: str) -> None:
    """The user's Secret."""
    data = {
        "host": "orchard-mariadb.settled.svc",
        "port": "3306",
        "database": DATABASE,
        "username": DATABASE,
        "password": PASSWORD,
        **changes,
    }
    meta = {"namespace": namespace.name, "name": "mine"}
    namespace.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})


def test_an_external_database_is_checked_then_used_then_left_alone(namespace: Namespace, settled: Settled) -> None:
    namespace.bench(BENCH)
    external = {"mode": "external", "connectionSecretRef": {"name": "mine"}}
    namespace.site(SITE, BENCH, HOST, deletionPolicy="Delete", dbConfig=external)
    told(namespace, "Ready", "Secret mine does not exist")
    connection(namespace, username="another")
    told(namespace, "Ready", "username is another and database is damson")

    user = f"'{DATABASE}'@'%'"
    sql(settled, f"CREATE DATABASE {DATABASE}; CREATE TABLE {DATABASE}.theirs (id INT)")
    sql(settled, f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON {DATABASE}.* TO {user}")
    connection(namespace)
    told(namespace, "DatabaseReady", "tables of something else")
    assert sql(settled, f"SHOW TABLES IN {DATABASE}").split() == ["theirs"]

    sql(settled, f"DROP TABLE {DATABASE}.theirs")
    # The Job would look again by itself within five minutes.
    namespace.run("delete", "pod", "--selector=vyogo.tech/component=database", "--wait=false")
    namespace.until_ready("frappesite", SITE)
    assert json.loads(namespace.visitor(BENCH, HOST).get("/api/method/ping").body) == {"message": "pong"}
    assert namespace.get("fs", SITE)["status"]["dbConnectionSecret"] == "mine"
    web = namespace.get("deployment", f"{SITE}-gunicorn")["metadata"]["generation"]
    sql(settled, f"ALTER USER {user} IDENTIFIED BY '{ROTATED}'")
    connection(namespace, password=ROTATED)
    namespace.until_ready("frappesite", SITE)
    namespace.until(lambda: _pings(namespace), "the rotated password to reach the running site", 120)
    assert namespace.get("deployment", f"{SITE}-gunicorn")["metadata"]["generation"] == web, (
        "no pod was restarted for it"
    )
    assert PASSWORD not in namespace.run("get", "all,configmaps,events,fb,fs", "-o", "yaml")

    namespace.run("delete", "fs", SITE, "--timeout=180s")
    assert "tabDefaultValue" in sql(settled, f"SHOW TABLES IN {DATABASE}")
    assert namespace.find("secret", "mine") is not None


def _pings(namespace: Namespace) -> bool:
    return namespace.visitor(BENCH, HOST).get("/api/method/ping").status == 200


def told(namespace: Namespace, condition: str, words: str) -> None:
    """Waits until a condition of the site says these words, and the site is said to need its owner."""
    namespace.until(
        lambda: words in namespace.condition("fs", SITE, condition)["message"], f"{words!r} to be said", 120
    )
    assert namespace.condition("fs", SITE, "Stalled")["status"] == "True"
