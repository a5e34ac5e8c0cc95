"""`check-database`: checks whether a database of the user is suitable for a site."""

import json
from typing import Any

from . import credentials, paths, sql
from .bench import major
from .credentials import Connection
from .log import say
from .outcome import Blocked
from .schema import SCRATCH, contents
from .sql import identifier, literal, query
from .tls import secured

_TIDY = f"DROP VIEW IF EXISTS {SCRATCH}_view; DROP SEQUENCE IF EXISTS {SCRATCH}_number; DROP TABLE IF EXISTS {SCRATCH};"
_PRIVILEGES = {
    "DROP": _TIDY,
    "CREATE": f"CREATE TABLE {SCRATCH} (id INT); CREATE SEQUENCE {SCRATCH}_number NOCACHE NOCYCLE;",
    "ALTER": f"ALTER TABLE {SCRATCH} ADD COLUMN word VARCHAR(140);",
    "INDEX": f"CREATE INDEX word ON {SCRATCH} (word);",
    "INSERT": f"INSERT INTO {SCRATCH} VALUES (1, 'one'); SELECT NEXTVAL({SCRATCH}_number);",  # noqa: S608
    "UPDATE": f"UPDATE {SCRATCH} SET word = 'two' WHERE id = 1;",  # noqa: S608
    "SELECT": f"SELECT word FROM {SCRATCH};",  # noqa: S608
    "LOCK TABLES": f"LOCK TABLES {SCRATCH} WRITE; UNLOCK TABLES;",
    "CREATE TEMPORARY TABLES": f"CREATE TEMPORARY TABLE {SCRATCH}_passing (id INT);",
    "CREATE VIEW": f"CREATE VIEW {SCRATCH}_view AS SELECT id FROM {SCRATCH};",  # noqa: S608
    "DELETE": f"DELETE FROM {SCRATCH}; {_TIDY}",  # noqa: S608
}
"""Privileges that Frappe needs, each with statements that need it, which use what earlier ones created."""


def check(frappe_version: str, owner: str, patience: int, tls: str) -> dict[str, Any]:
    """Checks the database of the user. Raises Blocked with what to change, and Retry."""
    site = secured(credentials.database(), tls, patience)
    login(site, frappe_version, patience)
    _charset(site)
    found = contents(site)
    if found.owner not in (None, owner):
        raise _not_empty(site, f"site {found.owner} is being created in it")
    if found.objects and found.owner is None and not _is_home(site, owner):
        raise _not_empty(site, f"it contains {len(found.objects)} tables of something else")
    _privileges(site)
    return {"database": site.database, "tables": len(found.objects)}


def login(site: Connection, frappe_version: str, patience: int) -> None:
    """Waits for the server and logs in as Frappe will. Raises Blocked when the login can never succeed, and Retry."""
    if major(frappe_version) < 16 and site.username != site.database:
        raise Blocked(
            "SecretInvalid",
            f"Frappe {frappe_version} uses the database name as user name, but the database Secret contains username "
            f"{site.username} and database {site.database}: create a MariaDB user named like the database, or use "
            "Frappe 16",
        )
    try:
        sql.wait(site, patience)
        version = query(site, "SELECT VERSION();")[0][0]
    except sql.Refused as refusal:
        raise Blocked("DatabaseRefused", _advice(site, refusal)) from refusal
    say(f"The server at {site.host}:{site.port} is {version}")
    if "mariadb" not in version.lower():
        raise Blocked(
            "DatabaseRefused", f"{site.host} is MySQL {version}, but Frappe requires MariaDB: use MariaDB 10.6 or newer"
        )


def _advice(site: Connection, refusal: sql.Refused) -> str:
    advice = {
        sql.ACCESS_DENIED: f"{site.host} rejects user {site.username}: correct username and password in the Secret, "
        "and allow the user to log in from the cluster (host '%')",
        sql.NO_DATABASE: f"Database {site.database} does not exist: CREATE DATABASE {identifier(site.database)} "
        "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        sql.NO_ACCESS_TO_DATABASE: f"User {site.username} has no access to database {site.database}: GRANT ALL "
        f"PRIVILEGES ON {identifier(site.database)}.* TO {literal(site.username)}@'%'",
    }
    return advice.get(refusal.code, f"{site.host} rejects the login: {refusal}")


def _charset(site: Connection) -> None:
    charset, collation = query(site, "SELECT @@character_set_database, @@collation_database;")[0]
    if charset != "utf8mb4":
        raise Blocked(
            "DatabaseRefused",
            f"Database {site.database} has the character set {charset} ({collation}), but Frappe requires utf8mb4: "
            f"ALTER DATABASE {identifier(site.database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        )


def _privileges(site: Connection) -> None:
    """Executes the statements that Frappe needs. The output of SHOW GRANTS is unreliable and must not be printed."""
    try:
        query(site, "\n".join(_PRIVILEGES.values()))
    except sql.Refused as refusal:
        if not refusal.line:
            raise
        raise Blocked(
            "DatabaseRefused",
            f"User {site.username} lacks the privilege {list(_PRIVILEGES)[refusal.line - 1]} on database "
            f"{site.database}, or cannot use it: {refusal}. GRANT ALL PRIVILEGES ON {identifier(site.database)}.* TO "
            f"{literal(site.username)}@'%'",
        ) from refusal


def _is_home(site: Connection, owner: str) -> bool:
    """Whether the volume records that this site was created in this database. The pod mounts the volume of one site
    only."""
    for marker in paths.SITES.glob(f"*/{paths.OURS}/created.json"):
        said = json.loads(marker.read_text(encoding="utf-8"))
        return (said["owner"], said["database"]) == (owner, site.database)
    return False


def _not_empty(site: Connection, why: str) -> Blocked:
    return Blocked(
        "DatabaseNotEmpty",
        f"Database {site.database} at {site.host} is not empty: {why}. Nothing was changed. Name an empty database, or "
        "restore the volume of the site",
    )
