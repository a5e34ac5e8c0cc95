"""Making a template: a site is made the long way, in a database of its own, and dumped before anybody uses it.

Three commands, each in a container of its own, one after the other: `prepare-template` creates the database as root;
`make-template` runs Frappe and therefore knows neither root's password nor where templates are kept;
`publish-template` stores the dump as root and drops the database.
"""

import gzip
import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from . import (
    apps,
    bench,
    creation,
    credentials,
    dump,
    durable,
    paths,
    redis_keys,
    schema,
    site_config,
    sql,
    template_store,
)
from .credentials import Connection
from .external import login
from .layout import SITE_FOLDERS
from .log import say
from .outcome import Blocked, Stopped
from .sql import Refused, identifier, literal, query, text

ATTEMPTS = 4
"""How often a template is attempted. An app that cannot be installed must not occupy the node for ever."""
NOT_COUNTED = ("DatabaseUnavailable", "RedisUnavailable")
"""Reasons of failures that say nothing about the template."""
REFUSED, COUNTER = "refused.json", "attempts"
_CONNECTION = ("host", "port", "username", "password", "database")


def prepare(database: str, store: str, owner: str, connection: Path, patience: int) -> dict[str, Any]:
    """Creates the database with its user, empty, and writes the login into the folder `connection`.

    Drops what earlier runs for the same bench have left, which names of its databases begin alike. Raises Blocked when
    such a database has content of another owner, and Retry.
    """
    root = credentials.database_admin()
    prefix = template_store.checked(database).rpartition("_")[0]
    sql.wait(root, patience)
    for name in _databases(root, prefix):
        if name != store:
            _drop_remains(root, name, owner)
    # Its user may be left without it.
    _drop(root, database)
    password = secrets.token_hex(16)
    credentials.learn(password)
    query(
        root,
        f"CREATE DATABASE {identifier(database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
        f"CREATE USER {literal(database)}@'%' IDENTIFIED BY {literal(password)};\n"
        # In a GRANT, `_` is a wildcard.
        f"GRANT ALL PRIVILEGES ON {identifier(database.replace('_', chr(92) + '_'))}.* TO {literal(database)}@'%';\n",
    )
    schema.mark(root._replace(database=database), owner)
    values = (root.host, str(root.port), database, password, database)
    for name, value in zip(_CONNECTION, values, strict=True):
        durable.write(connection / name, value, 0o600)
    return {}


def make(site: str, bench_id: str, template: str, wanted: list[str], out: Path, patience: int) -> dict[str, Any]:
    """Makes the site and dumps it into the folder `out`, or writes there why there will be no such template.

    Raises Retry. Succeeds after the last failed attempt: the next container then reports it.
    """
    (out / REFUSED).unlink(missing_ok=True)
    counter = out / COUNTER
    attempt = len(counter.read_bytes()) + 1 if counter.exists() else 1
    durable.write(counter, "." * attempt, 0o640)
    if attempt > ATTEMPTS:
        return _give_up(out, "TemplateUnfit", f"It was interrupted {ATTEMPTS} times")
    try:
        _make(site, bench_id, template, wanted, out, patience)
    except Stopped as stop:
        if stop.reason in NOT_COUNTED:
            durable.write(counter, "." * (attempt - 1), 0o640)
        elif stop.blocked or attempt == ATTEMPTS:
            return _give_up(out, stop.reason, stop.message)
        raise
    return {}


def publish(
    site: str,
    bench_id: str,
    database: str,
    store: str,
    template: str,
    keep: list[str],
    out: Path,
    redis_queue_host: str,
    redis_cache_host: str,
    patience: int,
) -> dict[str, Any]:
    """Stores the dump, removes templates that are not in `keep`, and everything that making it has left.

    The report has another reason than Succeeded if there is no template. Raises Blocked and Retry.
    """
    root = credentials.database_admin()
    template_store.checked(database)
    sql.wait(root, patience)
    refused = json.loads((out / REFUSED).read_text(encoding="utf-8")) if (out / REFUSED).exists() else {}
    if not refused:
        template_store.put(root, store, template, out / template_store.dump_name())
        template_store.prune(root, store, [template, *keep])
        say(f"Template {template} is complete")
    _drop(root, database)
    redis_keys.drop(site, [bench_id], database, redis_queue_host, redis_cache_host)
    return dict(refused)


def _databases(root: Connection, prefix: str) -> list[str]:
    pattern = prefix.replace("_", "\\_") + "\\_%"
    # In a pattern the server reads a backslash of its own, as in a literal.
    rows = query(
        root,
        f"SELECT HEX(SCHEMA_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE {literal(pattern)};",  # noqa: S608
    )
    return [text(name) for (name,) in rows]


def _drop_remains(root: Connection, database: str, owner: str) -> None:
    found = schema.contents(root._replace(database=template_store.checked(database)))
    if found.objects and found.owner != owner:
        raise Blocked("DatabaseNotEmpty", f"Database {database} has content of {found.owner or 'something else'}")
    say(f"Dropping database {database} of an earlier run")
    _drop(root, database)


def _drop(root: Connection, database: str) -> None:
    """Drops database and user, whose sessions are ended first: a table that one uses is not dropped."""
    sessions = f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = {literal(database)};"  # noqa: S608
    for (session,) in query(root, sessions):
        try:
            query(root, f"KILL CONNECTION {int(session)};")
        except Refused as refusal:
            if refusal.code != sql.NO_SUCH_SESSION:
                raise
    query(root, f"DROP DATABASE IF EXISTS {identifier(database)};\nDROP USER IF EXISTS {literal(database)}@'%';\n")


def _give_up(out: Path, reason: str, message: str) -> dict[str, Any]:
    say(f"There will be no template: {reason}: {message}")
    durable.write(out / REFUSED, json.dumps({"reason": reason, "message": credentials.redacted(message)}), 0o640)
    return {}


def _make(site: str, bench_id: str, template: str, wanted: list[str], out: Path, patience: int) -> None:
    server, directory = credentials.database(), paths.SITES / site
    version = bench.version("frappe")
    login(server, version, patience)
    # What an earlier attempt has left.
    dump.empty(server)
    shutil.rmtree(directory, ignore_errors=True)
    for folder in SITE_FOLDERS:
        (directory / folder).mkdir(parents=True)
    password = secrets.token_hex(16)
    credentials.learn(password)
    config = {**site_config.connection(server, version), "bench_id": bench_id, "host_name": f"http://{site}"}
    creation.make(site, directory, server, config, password)
    creation.mark_made(directory, site, "", server, version)
    installed = apps.install(site, wanted)["apps"]
    _check(server, directory, config)
    query(server, "DELETE FROM `__Auth`;")
    raw, path = out / "raw.sql.gz", out / template_store.dump_name()
    record = dump.save(server, raw)
    traces = {"its name": site, "the name of its database": server.database, "a password": password}
    _without_names(raw, path, {**traces, "the password of its database": server.password})
    content = path.read_bytes()
    mine = {"database": "", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    durable.write(
        dump.record_of(path), json.dumps({**record, **mine, "template": template, "apps": installed}, indent=1), 0o640
    )
    raw.unlink()


def _check(server: Connection, directory: Path, config: dict[str, Any]) -> None:
    """Raises Blocked when the site has something that a dump would not carry over, or must not."""
    rows = query(server, "SELECT HEX(doctype), HEX(name), encrypted FROM `__Auth`;")
    if others := [row for row in rows if row != [b"User".hex().upper(), b"Administrator".hex().upper(), "0"]]:
        raise _unfit(f"it contains {len(others)} secrets besides the password of Administrator")
    for folder in ("public", "private"):
        if found := next((each for each in (directory / folder).rglob("*") if not each.is_dir()), None):
            raise _unfit(f"its apps create files, such as {found.relative_to(directory)}")
    written = json.loads((directory / "site_config.json").read_text(encoding="utf-8"))
    if keys := sorted(written.keys() - config.keys()):
        raise _unfit(f"its apps write {', '.join(keys)} into site_config.json")


def _unfit(why: str) -> Blocked:
    return Blocked("TemplateUnfit", f"A site with these apps cannot be copied, because {why}")


def _without_names(raw: Path, path: Path, traces: dict[str, str]) -> None:
    """Copies a dump without comments that name its database. Raises Blocked when one of `traces` is in it."""
    encoded = {what: value.encode() for what, value in traces.items()}
    path.unlink(missing_ok=True)
    with gzip.open(raw, "rb") as source, open(path, "wb") as target:
        with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as file:
            for line in source:
                if line.startswith(b"-- ") and any(value in line for value in encoded.values()):
                    continue
                for what, value in encoded.items():
                    if value in line:
                        raise _unfit(f"{what} is in the database, in a line that begins with {line[:40]!r}")
                file.write(line)
        target.flush()
        os.fsync(target.fileno())
