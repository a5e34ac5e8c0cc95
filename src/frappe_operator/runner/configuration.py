"""`configure-site`: applies a changed address, size of uploads or credentials to a site that may be serving visitors.

Frappe reads site_config.json for each request and each job (Frappe 16 at least once a minute), so no pod restarts. The
credentials are tested before they are written: an error in a Secret must not take down a running site.
"""

import json
from pathlib import Path
from typing import Any

from . import bench, credentials, database, durable, paths, schema, site_config
from . import release as releases
from .credentials import Connection
from .external import login
from .log import say
from .outcome import Blocked, Retry
from .tls import hand_over, secured


def configure(
    site: str, host_name: str, max_file_size: int, set_password: bool, patience: int, tls: str
) -> dict[str, Any]:
    """Merges address, size of uploads and connection into site_config.json. Raises Blocked and Retry, and leaves the
    file unchanged then.

    `set_password`: whether the Secret sets the password, because the database is in the bench's own MariaDB.
    """
    directory = paths.SITES / site
    marker = directory / paths.OURS / "created.json"
    if not marker.exists():
        raise Retry("SiteNotCreated", f"Site {site} has not been created yet")
    frappe_version = bench.version("frappe")
    if set_password:
        database.prepare(patience)
    connection = secured(credentials.database(), tls, patience, directory)
    login(connection, frappe_version, patience)
    if releases.is_under_way(directory):
        # Its dump may just be restored. It needs the connection, and keeps it.
        say("The site is being upgraded: what its database contains is not checked")
    elif "tabDefaultValue" not in schema.contents(connection).objects:
        raise Blocked(
            "DatabaseLost",
            f"Database {connection.database} at {connection.host} contains no site; the running site keeps its current "
            "connection: correct the Secret, or restore the backup of the site into that database",
        )
    hand_over(directory, connection)
    address = {"host_name": host_name, "max_file_size": max_file_size}
    changes = {**site_config.connection(connection, frappe_version), **address}
    site_config.merge(directory, changes)
    _note(marker, connection)
    say(f"Configured the database {connection.database} at {connection.host} and the address {host_name}")
    return {"database": connection.database}


def _note(marker: Path, connection: Connection) -> None:
    """Records the location of the site's data on the volume. It is checked when a site is created again from this
    volume."""
    made = json.loads(marker.read_text(encoding="utf-8"))
    after = {**made, "database": connection.database, "host": connection.host}
    if after != made:
        durable.write(marker, json.dumps(after, indent=1), 0o640)
