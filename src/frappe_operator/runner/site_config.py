"""A site's site_config.json: merged, never replaced, because it contains Frappe's encryption key."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from . import bench, credentials, durable
from .credentials import NO_TLS, Connection
from .outcome import Blocked


def connection(site: Connection, frappe_version: str) -> dict[str, Any]:
    """The keys of site_config.json that locate the site's database; None for a key that it must not have."""
    verified = site.tls not in ("", NO_TLS)
    keys: dict[str, Any] = {
        "db_type": "mariadb",
        "db_host": site.host,
        "db_port": site.port,
        "db_name": site.database,
        "db_password": site.password,
        "db_ssl_ca": site.tls if verified else None,
        "db_ssl_check_hostname": True if verified else None,
    }
    # Frappe 15 has no such key: there the user is called as the database.
    return {**keys, "db_user": site.username} if bench.major(frappe_version) >= 16 else keys


def database(directory: Path) -> Connection:
    """The connection to the database of a created site. Raises Blocked when site_config.json does not name one."""
    config = _read(directory / "site_config.json")
    try:
        name = config["db_name"]
        return Connection(
            config["db_host"],
            int(config["db_port"]),
            config.get("db_user") or name,
            config["db_password"],
            name,
            config.get("db_ssl_ca") or "",
        )
    except (KeyError, ValueError) as error:
        raise Blocked(
            "SiteConfigInvalid", f"site_config.json of the site has no valid key {error}: restore the key"
        ) from error


def merge(directory: Path, changes: dict[str, Any], remove: Collection[str] = ()) -> None:
    """Sets and removes keys, and leaves all others unchanged; a change to None removes a key. Raises Blocked when the
    file exists and is not JSON."""
    path = directory / "site_config.json"
    # Frappe's own lock: it writes here at run time, without replacing the file in one step.
    with durable.locked(directory / "locks" / "site_config.lock", seconds=60):
        before = _read(path)
        removed = {*remove, *(key for key, value in changes.items() if value is None)}
        after = {key: value for key, value in {**before, **changes}.items() if key not in removed}
        if after != before:
            durable.write(path, json.dumps(after, indent=1, sort_keys=True), 0o600)


def put_back(directory: Path, text: str, keep: Collection[str]) -> None:
    """Replaces the file by the earlier `text`. The keys `keep` have their present values afterwards."""
    path = directory / "site_config.json"
    with durable.locked(directory / "locks" / "site_config.lock", seconds=60):
        now, then = _read(path), json.loads(text)
        after = {key: value for key, value in then.items() if key not in keep}
        after.update({key: now[key] for key in keep if key in now})
        if after != now:
            durable.write(path, json.dumps(after, indent=1, sort_keys=True), 0o600)


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise Blocked(
            "SiteConfigInvalid",
            "site_config.json of the site is not a JSON object. It contains the encryption key of the site, so it was "
            "not changed: repair it on the volume of the site",
        )
    credentials.learn_config(config)
    return config
