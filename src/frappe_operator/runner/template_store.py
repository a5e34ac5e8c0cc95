"""The templates of a bench, as they are kept: compressed dumps in a database of the bench's MariaDB that only root can
read and write.

A Job of a site gets a copy of one of them into the directory of the site; nothing that a site runs can change them.
"""

import json
import re
import shutil
from pathlib import Path

from . import dump, durable, paths
from .credentials import Connection
from .log import say
from .outcome import Blocked
from .sql import Refused, identifier, literal, query, text

NAME = re.compile(r"_[0-9a-f]{16}_[0-9a-f]{8}")
"""Database names that the operator generates. As root, no other database is changed."""
PIECE = 1 << 18
"""Bytes of a dump in one row: a statement with it is far smaller than any max_allowed_packet."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS template (id VARCHAR(64) PRIMARY KEY, record LONGTEXT NOT NULL) ENGINE = InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS piece (template VARCHAR(64), number INT, data MEDIUMBLOB NOT NULL, "
    "PRIMARY KEY (template, number)) ENGINE = InnoDB;\n"
)


def put(root: Connection, store: str, template: str, path: Path) -> None:
    """Stores the dump `path` as the template of this name, in one transaction. Raises Blocked for a damaged dump."""
    record = dump.verify(path)
    content, pieces = path.read_bytes(), []
    for number, start in enumerate(range(0, len(content), PIECE)):
        data = content[start : start + PIECE].hex()
        pieces.append(f"INSERT INTO piece VALUES ({literal(template)}, {number}, X'{data}');")  # noqa: S608
    query(root, f"CREATE DATABASE IF NOT EXISTS {identifier(checked(store))} CHARACTER SET utf8mb4;")
    server = root._replace(database=store)
    query(server, _TABLES)
    query(
        server,
        "\n".join(
            [
                "START TRANSACTION;",
                f"DELETE FROM piece WHERE template = {literal(template)};",  # noqa: S608
                *pieces,
                f"REPLACE INTO template VALUES ({literal(template)}, {literal(json.dumps(record))});",  # noqa: S608
                "COMMIT;",
            ]
        ),
    )


def prune(root: Connection, store: str, keep: list[str]) -> None:
    """Removes all templates but those in `keep`."""
    kept = ", ".join(map(literal, keep))
    query(
        root._replace(database=checked(store)),
        f"DELETE FROM template WHERE id NOT IN ({kept});\nDELETE FROM piece WHERE template NOT IN ({kept});\n",  # noqa: S608
    )


def fetch(root: Connection, store: str, template: str, site: str) -> bool:
    """Copies a template into the directory of a site that has not been created yet. Returns whether there is one."""
    directory = paths.SITES / site / paths.OURS
    path = folder(site) / dump_name()
    shutil.rmtree(path.parent, ignore_errors=True)
    if (directory / "created.json").exists():
        return False
    server = root._replace(database=checked(store))
    try:
        records = query(server, f"SELECT HEX(record) FROM template WHERE id = {literal(template)};")  # noqa: S608
        rows = query(server, f"SELECT HEX(data) FROM piece WHERE template = {literal(template)} ORDER BY number;")  # noqa: S608
        if not records:
            say(f"MariaDB has no template {template}: the site is created without it")
            return False
        path.parent.mkdir(parents=True)
        with open(path, "wb") as file:
            file.writelines(bytes.fromhex(data) for (data,) in rows)
        durable.write(dump.record_of(path), text(records[0][0]), 0o640)
    except (Refused, OSError) as trouble:
        say(f"Template {template} cannot be read ({trouble}): the site is created without it")
        shutil.rmtree(path.parent, ignore_errors=True)
        return False
    say(f"Template {template} is in the directory of the site")
    return True


def folder(site: str) -> Path:
    """The folder in the directory of a site with the copy of a template."""
    return paths.SITES / site / paths.OURS / "template"


def dump_name() -> str:
    """The name of the dump of a template, in the directory of a site or where it is made."""
    return "template.sql.gz"


def checked(database: str) -> str:
    """The name of a database if the operator generated it. Raises Blocked."""
    if not NAME.fullmatch(database):
        raise Blocked("InvalidArguments", f"{database!r} is not a database of this operator")
    return database
