"""The site's database, reached as the site's own user, which in Frappe 15 has the database's name."""

import contextlib
import logging
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql

from frappe.conf import Conf
from frappe.logs import open_log

DDL = ("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME")
Rows = Sequence[tuple[Any, ...]]


class Database:
    """One connection. What it raises are the server's own errors (pymysql.MySQLError)."""

    def __init__(
        self, conf: Conf, site: str | None, *, user: str = "", password: str = "", schema: bool = True
    ) -> None:
        self._log: logging.Logger = open_log(site)
        name = str(conf["db_name"])
        self._connection = pymysql.connect(
            host=str(conf["db_host"]),
            port=int(conf["db_port"]),
            user=user or name,
            password=password or str(conf["db_password"]),
            database=name if schema else None,
            charset="utf8mb4",
            connect_timeout=10,
            ssl=_tls(conf),
        )

    def sql(self, statement: str, *values: Any) -> Rows:
        """Run one statement; `%s` in it stand for `values`."""
        if statement.lstrip().upper().startswith(DDL):
            self._log.warning(statement)
        with self._connection.cursor() as cursor:
            # Without values the statement is taken as it is, so that a literal % needs no doubling.
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row, None when there is none."""
        rows = self.sql(statement, *values)
        return rows[0][0] if rows else None

    def tables(self) -> set[str]:
        return {str(row[0]) for row in self.sql("SHOW TABLES")}

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


def _tls(conf: Conf) -> dict[str, Any] | None:
    """As in Frappe 15.101: the authority alone is enough."""
    if not conf.get("db_ssl_ca"):
        return None
    return {"ca": conf["db_ssl_ca"], "check_hostname": conf.get("db_ssl_check_hostname")}


@contextlib.contextmanager
def connected(conf: Conf, site: str | None) -> Iterator[Database]:
    """A connection that is committed when the block ends well, and closed in any case."""
    database = Database(conf, site)
    try:
        yield database
        database.commit()
    finally:
        database.close()


def client_arguments(conf: Conf) -> list[str]:
    """How the `mariadb` programs are told where to go: on the command line, password included, as Frappe does it."""
    name = conf["db_name"]
    return [
        f"--user={name}",
        f"--password={conf['db_password']}",
        f"--host={conf['db_host']}",
        f"--port={conf['db_port']}",
        str(name),
    ]


def run_script(conf: Conf, script: Path) -> None:
    """Pipe a file of SQL through the `mariadb` program. Raises CalledProcessError."""
    with script.open("rb") as statements:
        subprocess.run(["mariadb", *client_arguments(conf)], stdin=statements, check=True)
