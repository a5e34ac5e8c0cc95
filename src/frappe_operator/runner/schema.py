"""The contents of a site's database, and the mark that the creation of the site has begun.

Only a database that carries our mark may be cleaned. The mark is a table; its comment names the owner, so that
making and naming it is one step.
"""

from typing import NamedTuple

from .credentials import Connection
from .sql import NO_SUCH_SESSION, Refused, identifier, literal, query, text

MARK = "__frappe_operator_creating"
SCRATCH = "__frappe_operator_check"
"""Beginning of the names of what `check-database` makes and removes."""


class Contents(NamedTuple):
    """What a database holds."""

    owner: str | None
    """Whose mark is on it."""
    objects: dict[str, str]
    """Kind of each table, view and sequence except the mark."""


def contents(server: Connection) -> Contents:
    """Everything in the database, by name."""
    rows = query(
        server,
        "SELECT HEX(TABLE_NAME), TABLE_TYPE, HEX(TABLE_COMMENT) FROM information_schema.TABLES "
        "WHERE TABLE_SCHEMA = DATABASE();",
    )
    found = {text(name): (kind, text(comment)) for name, kind, comment in rows}
    owner = found.pop(MARK)[1] if MARK in found else None
    return Contents(owner, {name: kind for name, (kind, _) in found.items() if not name.startswith(SCRATCH)})


def mark(server: Connection, owner: str) -> None:
    """Claims the database. Raises Refused when another has just done so."""
    query(server, f"CREATE TABLE {identifier(MARK)} (id INT PRIMARY KEY) COMMENT = {literal(owner)};")


def unmark(server: Connection) -> None:
    """Takes the mark away."""
    query(server, f"DROP TABLE IF EXISTS {identifier(MARK)};")


def end_sessions(server: Connection) -> None:
    """Cuts off whoever else works in the database as this user: a pod that was given up, but still runs."""
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
    """Drops every one of `objects`."""
    words = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}
    drops = [f"DROP {words.get(kind, 'TABLE')} IF EXISTS {identifier(name)};" for name, kind in objects.items()]
    query(server, "\n".join(["SET SESSION foreign_key_checks = 0;", *drops]))


def installed_apps(server: Connection) -> str:
    """What Frappe wrote down last while making the site: its apps, as JSON. Empty when it never came to that.

    Raises Refused when there is no Frappe site in the database.
    """
    rows = query(server, "SELECT HEX(defvalue) FROM `tabDefaultValue` WHERE defkey = 'installed_apps' LIMIT 1;")
    return text(rows[0][0]) if rows else ""
