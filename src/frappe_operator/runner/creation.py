"""`create-site`: creates a site exactly once, also after interruptions.

The order protects data. Before anything is created, a table in the database marks that the creation has begun; a file
on the volume, which is written last, marks that the site was created. A database is emptied only if the table exists
and the file does not.
"""

import datetime
import json
import socket
from pathlib import Path
from typing import Any

from . import bench, credentials, durable, paths, schema, site_config, template_copy, upgrade
from . import release as releases
from .credentials import Connection
from .database import prepare
from .external import login
from .log import say
from .outcome import Blocked, Retry, Terminated
from .tls import hand_over, secured


def create(
    site: str,
    owner: str,
    bench_id: str,
    host_name: str,
    max_file_size: int,
    set_password: bool,
    template: str,
    patience: int,
    release: str,
    tls: str,
) -> dict[str, Any]:
    """Creates the site, or completes an interrupted creation, or finds that it exists. Raises Blocked and Retry.

    `set_password`: the connection Secret was generated again after the password of the database's user was set.
    `template`: the template that the site may be copied from; empty for none.
    `release`: what is recorded as the site's release; a site that exists is upgraded to it. Empty: nothing is recorded.
    """
    directory = paths.SITES / site
    frappe_version = bench.version("frappe")
    (directory / "locks").mkdir(parents=True, exist_ok=True)
    (directory / paths.OURS).mkdir(exist_ok=True)
    with durable.locked(directory / paths.OURS / "lock", durable.SITE_LOCK_SECONDS):
        if set_password:
            prepare(patience)
        database = secured(credentials.database(), tls, patience, directory)
        connection = site_config.connection(database, frappe_version)
        config = {**connection, "bench_id": bench_id, "host_name": host_name, "max_file_size": max_file_size}
        login(database, frappe_version, patience)
        hand_over(directory, database)
        found = schema.contents(database)
        if found.owner not in (None, owner):
            raise Blocked(
                "DatabaseNotEmpty",
                f"Database {database.database} is used by site {found.owner}, which is being created: name another "
                "database",
            )
        made = (directory / paths.OURS / "created.json").exists()
        if made:
            _take_up(site, directory, database, found, config, release)
        else:
            _claim(database, found, owner)
            releases.forget(directory)
            _copy_or_make(site, directory, database, config, template)
            if release:
                releases.record(directory, release)
            mark_made(directory, site, owner, database, frappe_version)
        schema.unmark(database)
        template_copy.remove(site)
        facts: dict[str, Any] = {"created": not made, "database": database.database}
        if not made:
            # Of a site that was found, an app may be listed whose installation was interrupted.
            installed = json.loads(schema.installed_apps(database) or "[]")
            facts["apps"] = {app: bench.version(app) for app in bench.apps() if app in installed}
    return {**facts, "release": release} if release else facts


def _take_up(
    site: str, directory: Path, database: Connection, found: schema.Contents, config: dict[str, Any], release: str
) -> None:
    say("The site exists on the volume; keeping it")
    if not release:
        releases.check_not_under_way(site, directory)
    # An upgrade that is under way may have emptied the database to restore its dump.
    if not releases.is_under_way(directory) and "tabDefaultValue" not in found.objects:
        raise Blocked(
            "DatabaseLost",
            f"The files of the site are on its volume, but database {database.database} at {database.host} contains no "
            f"site: restore the backup of the site into the database, or delete {paths.OURS}/created.json in the "
            "directory of the site to create an empty site",
        )
    site_config.merge(directory, config, remove=["admin_password"])
    if release:
        upgrade.take_up(site, directory, database, release)


def _claim(database: Connection, found: schema.Contents, owner: str) -> None:
    """Ensures that the database belongs to this site and is empty."""
    if found.owner is None and found.objects:
        if others := _other_sites():
            namespace, name = owner.split("/")
            raise Blocked(
                "DatabaseNotEmpty",
                f"FrappeSite {name} in namespace {namespace} was created with siteName {others[0]}, and its files and "
                f"database {database.database} were retained. Nothing was changed. Delete this FrappeSite and create "
                f"it again with siteName: {others[0]} to use that site (domain and aliases serve other host names), or "
                "with another metadata.name to create a new site",
            )
        raise Blocked(
            "DatabaseNotEmpty",
            f"Database {database.database} at {database.host} contains {len(found.objects)} tables, but the volume of "
            "the site contains no site: the volume is new or was lost. Nothing was changed. Restore the volume or its "
            "files, or empty the database if its data is not needed",
        )
    if found.owner is None:
        schema.mark(database, owner)
    if found.objects:
        # new-site over a partial database succeeds with a wrong site: duplicate rows, an additional index.
        say(f"Dropping the {len(found.objects)} tables of an earlier attempt that was interrupted")
        schema.end_sessions(database)
        schema.clear(database, found.objects)


def _other_sites() -> list[str]:
    """Names of sites that were created on this volume with another siteName."""
    return sorted(each.parent.parent.name for each in paths.VOLUME.glob(f"*/{paths.OURS}/created.json"))


def _copy_or_make(site: str, directory: Path, database: Connection, config: dict[str, Any], template: str) -> None:
    if template and template_copy.put_in(site, directory, database, config, template):
        _note(directory, f"copied from template {template}")
    else:
        make(site, directory, database, config, credentials.admin_password())


def make(site: str, directory: Path, database: Connection, config: dict[str, Any], password: str) -> None:
    """Creates the site with `new-site` in an empty database. `password`: of Administrator. Raises Retry."""
    # Frappe takes the file as it finds it, and the password from it: none has to go on a command line.
    site_config.merge(directory, {**config, "admin_password": password})
    name = [f"--db-name={database.database}"]
    if "db_user" in config:
        name += [f"--db-user={database.username}"]
    say(f"Creating site {site}; this takes a few minutes")
    _note(directory, "started")
    try:
        ended = bench.frappe("new-site", site, "--force", "--no-setup-db", *name)
        if ended.code != 0:
            raise Retry("CreationFailed", f"new-site {ended.how}")
        if "frappe" not in schema.installed_apps(database):
            raise Retry("CreationFailed", "new-site exited with 0, but the database lists no installed app")
    except (Exception, Terminated):
        _note(directory, "failed")
        raise
    _note(directory, "created")
    site_config.merge(directory, {}, remove=["admin_password"])
    say("Enabling the scheduler, which new-site leaves disabled")
    ended = bench.frappe("--site", site, "enable-scheduler")
    if ended.code != 0:
        raise Retry("CreationFailed", f"enable-scheduler {ended.how}")


def mark_made(directory: Path, site: str, owner: str, database: Connection, frappe_version: str) -> None:
    """Writes the file on the volume that marks the site as created."""
    made = {
        "site": site,
        "owner": owner,
        "database": database.database,
        "host": database.host,
        "frappe": frappe_version,
        "created": _now(),
    }
    durable.write(directory / paths.OURS / "created.json", json.dumps(made, indent=1), 0o640)


def _note(directory: Path, outcome: str) -> None:
    """Appends a line to the log of the site on its volume: the pod that ran new-site, the time, and the result."""
    line = {"time": _now(), "pod": socket.gethostname(), "outcome": outcome}
    durable.append(directory / paths.OURS / "ledger.jsonl", json.dumps(line))


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
