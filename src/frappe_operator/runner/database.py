"""`prepare-database` and `drop-database`: commands that use the bench's own MariaDB as root."""

import re
from typing import Any

from . import credentials, sql, template_store
from .credentials import Connection
from .log import say
from .outcome import Blocked, Retry
from .sql import identifier, literal, query


def prepare(patience: int, site_name: str = "", template: str = "", store: str = "") -> dict[str, Any]:
    """Creates or corrects database and user in the bench's MariaDB. Raises Blocked and Retry.

    With a `template`, copies that of the database `store` into the directory of the site `site_name`.
    """
    site, root = _ours(), credentials.database_admin()
    try:
        sql.wait(root, patience)
        account = f"{literal(site.username)}@'%'"
        # In a GRANT, `_` and `%` are wildcards: unescaped, the site could enter its neighbours' databases.
        pattern = re.sub(r"([_%\\])", r"\\\1", site.database)
        query(
            root,
            f"CREATE DATABASE IF NOT EXISTS {identifier(site.database)} "
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY {literal(site.password)};\n"
            f"ALTER USER {account} IDENTIFIED BY {literal(site.password)};\n"
            f"GRANT ALL PRIVILEGES ON {identifier(pattern)}.* TO {account};\n",
        )
        say("Database and user exist; logging in as the user")
        query(site, "SELECT 1;")
        if template:
            template_store.fetch(root, store, template, site_name)
    except sql.Refused as refusal:
        # Nobody but us has a hand in this server: it is starting up, or its password is just being changed.
        raise _refused(root, refusal) from refusal
    return {"database": site.database}


def drop(patience: int) -> dict[str, Any]:
    """Drops database and user in the bench's MariaDB if they exist. Raises Blocked and Retry."""
    site, root = _ours(), credentials.database_admin()
    try:
        sql.wait(root, patience)
        query(
            root,
            f"DROP DATABASE IF EXISTS {identifier(site.database)};\n"
            f"DROP USER IF EXISTS {literal(site.username)}@'%';\n",
        )
    except sql.Refused as refusal:
        raise _refused(root, refusal) from refusal
    return {"database": site.database}


def _refused(root: Connection, refusal: sql.Refused) -> Retry:
    if refusal.code != sql.ACCESS_DENIED:
        return Retry("DatabaseUnavailable", refusal.message)
    # The server takes root's password from its Secret when it starts, and only then: the operator restarts it.
    server = root.host.split(".")[0]
    said = f"{server} restarts when the Secret with the password of root changes, and then uses that password"
    return Retry("DatabaseUnavailable", f"{refusal.message}: {said}")


def _ours() -> Connection:
    site = credentials.database()
    if not template_store.NAME.fullmatch(site.database) or site.username != site.database:
        raise Blocked(
            "SecretInvalid", f"The database Secret names database {site.database}, which this operator did not create"
        )
    return site
