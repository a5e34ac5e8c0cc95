"""The contents of a site's database, and the mark that the creation of the site has begun.

Only a database with the mark may be emptied. The mark is a table whose comment names the owner, so that creating and
naming it is one atomic step.
"""

from typing import NamedTuple

from .credentials import Connection
from .sql import NO_SUCH_SESSION, Refused, identifier, literal, query, text

MARK = "__frappe_operator_creating"
SCRATCH = "__frappe_operator_check"
"""Prefix of the names of the objects that `check-database` creates and drops."""


class Contents(NamedTuple):
    """The contents of a database."""

    owner: str | None
    """The owner that the mark names; None without a mark."""
    objects: dict[str, str]
    """Kind of each table, view and sequence except the mark."""


def contents(server: Connection) -> Contents:
    """Reads the names of all objects in the database."""
    rows = query(
        server,
        "SELECT HEX(TABLE_NAME), TABLE_TYPE, HEX(TABLE_COMMENT) FROM information_schema.TABLES "
        "WHERE TABLE_SCHEMA = DATABASE();",
    )
    found = {text(name): (kind, text(comment)) for name, kind, comment in rows}
    owner = found.pop(MARK)[1] if MARK in found else None
    return Contents(owner, {name: kind for name, (kind, _) in found.items() if not name.startswith(SCRATCH)})


def mark(server: Connection, owner: str) -> None:
    """Creates the mark. Raises Refused when another process has just created it."""
    query(server, f"CREATE TABLE {identifier(MARK)} (id INT PRIMARY KEY) COMMENT = {literal(owner)};")


def unmark(server: Connection) -> None:
    """Removes the mark."""
    query(server, f"DROP TABLE IF EXISTS {identifier(MARK)};")


def end_sessions(server: Connection) -> None:
    """Ends all other sessions of this user in the database: those of a pod that was replaced but still runs."""
    rows = query(
        server,
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID();",
    )
    for (session,) in rows:
        try:
            query(server, f"KILL CONNECTION {int(session)};")
        except Refused as refusal:
            if refusal.code != NO_SUCH_SESSION:
                raise


def clear(server: Connection, objects: dict[str, str]) -> None:
    """Drops all `objects`."""
    words = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}
    drops = [f"DROP {words.get(kind, 'TABLE')} IF EXISTS {identifier(name)};" for name, kind in objects.items()]
    query(server, "\n".join(["SET SESSION foreign_key_checks = 0;", *drops]))


def installed_apps(server: Connection) -> str:
    """The list of apps as JSON, which Frappe writes last when it creates a site; empty when it has not been written.

    Raises Refused when the database contains no Frappe site.
    """
    rows = query(server, "SELECT HEX(defvalue) FROM `tabDefaultValue` WHERE defkey = 'installed_apps' LIMIT 1;")
    return text(rows[0][0]) if rows else ""
