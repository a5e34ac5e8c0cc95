"""A site with a MariaDB of its own, as in examples/dedicated-database.yaml: it is sized as declared, outlives its site,
and goes when that is asked for."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.namespace import Namespace

pytestmark = [pytest.mark.node]

BENCH, SITE, HOST, SERVER = "enterprise-bench", "harvest", "harvest.example.com", "harvest-db-0"
EXAMPLE = Path(__file__).parents[2] / "examples" / "dedicated-database.yaml"


def declared(namespace: Namespace) -> list[dict[str, Any]]:
    """Bench and site of the example, with volumes, requests and a number of pods that fit the machine."""
    bench, site = yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8"))
    bench["spec"]["storage"] = site["spec"]["storage"] = {"size": "1Gi"}
    site["spec"]["dbConfig"] |= {"storageSize": "1Gi"}
    site["spec"]["dbConfig"]["resources"]["requests"] = {"cpu": "50m", "memory": "128Mi"}
    site["spec"]["componentReplicas"] = {"socketio": 0, "workerLong": 0, "workerShort": 0}
    for each in (bench, site):
        each["metadata"]["namespace"] = namespace.name
    return [bench, site]


def sql(namespace: Namespace, statements: str) -> str:
    """Has root do something on the server of the site."""
    script = "mariadb --defaults-file=/run/mysqld/root.cnf --socket=/run/mysqld/mysqld.sock -N"
    return namespace.run("exec", "--stdin", SERVER, "--", "sh", "-c", script, given=statements)


def test_a_site_has_a_mariadb_of_its_own_as_long_as_its_data_is_kept(namespace: Namespace) -> None:
    bench, site = declared(namespace)
    namespace.kubectl.apply(bench)
    namespace.kubectl.apply(site)
    namespace.until_ready("frappesite", SITE)
    pong = namespace.visitor(BENCH, HOST).get("/api/method/ping")
    assert json.loads(pong.body) == {"message": "pong"}
    assert namespace.find("statefulset", f"{BENCH}-mariadb") is None
    assert sql(namespace, "SELECT @@max_connections, @@innodb_buffer_pool_size").split() == ["512", str(1 << 30)]
    database = namespace.get("fs", SITE)["status"]["databaseName"]
    table = f"{database}.mine"
    sql(namespace, f"CREATE TABLE {table} (id INT); INSERT INTO {table} VALUES (7)")  # noqa: S608
    # As docs/concepts.md has it.
    root = ("--defaults-file=/run/mysqld/root.cnf", "--socket=/run/mysqld/mysqld.sock")
    dump = namespace.run("exec", SERVER, "--", "mariadb-dump", *root, "--single-transaction", "--databases", database)
    assert "INSERT INTO `mine` VALUES" in dump

    namespace.run("delete", "fs", SITE, "--timeout=120s")
    # The process has ended; the kubelet deletes the pod then.
    namespace.until(lambda: namespace.find("pod", SERVER) is None, "the pod of the server to be gone", 30)
    assert namespace.find("pvc", f"data-{SERVER}") is not None
    site["spec"]["deletionPolicy"] = "Delete"
    namespace.kubectl.apply(site)
    namespace.until_ready("frappesite", SITE)
    assert namespace.visitor(BENCH, HOST).get("/api/method/ping").status == 200
    assert sql(namespace, f"SELECT id FROM {table}").split() == ["7"]  # noqa: S608
    assert [each["outcome"] for each in namespace.ledger(SITE, HOST)] == ["started", "created"], "once"

    namespace.run("delete", "fs", SITE, "--timeout=120s")
    # The garbage collector and the volumes' protection need a moment.
    kinds, label = "statefulsets,services,pvc,secrets", f"--selector=vyogo.tech/site={SITE}"
    namespace.until(lambda: namespace.get(kinds, label)["items"] == [], "nothing to be left of the site", 60)
    assert namespace.find("pvc", f"data-{SERVER}") is None
