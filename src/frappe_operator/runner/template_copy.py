"""A new site from a template: the dump of a site that was made the long way, and what is each site's own.

Equal to a site that `new-site` and `install-app` make, except for times and random names. In doubt nothing is copied,
and the site is made the long way.
"""

import base64
import datetime
import hashlib
import json
import secrets
import shutil
import zoneinfo
from pathlib import Path
from typing import Any

from . import bench, credentials, dump, paths, redis, redis_keys, schema, site_config, template_store
from .credentials import Connection
from .layout import SITE_FOLDERS
from .log import say
from .outcome import Blocked, Stopped
from .sql import literal, query, text

ROUNDS = 29000
"""What Frappe's passlib uses for new passwords: with another number it would write the row again at the first login."""
DEFAULT_ZONE = "Asia/Kolkata"
"""Frappe's time zone until somebody chooses one."""


def put_in(site: str, directory: Path, database: Connection, config: dict[str, Any], template: str) -> bool:
    """Creates the site from its copy of the template. Returns False, with an empty database, if that is not possible.

    Raises Blocked without a password for Administrator, and Retry when the database cannot be emptied.
    """
    password = credentials.admin_password()
    path = template_store.folder(site) / template_store.dump_name()
    if not dump.is_complete(path):
        say("There is no template for the site: creating it the long way")
        return False
    try:
        apps = _apps(dump.verify(path), template)
        _forget_cache(database)
        say(f"Creating site {site} from template {template} with {', '.join(apps)}")
        dump.restore(database, path)
        _own(database, password)
        installed = json.loads(schema.installed_apps(database) or "[]")
        if sorted(installed) != sorted(apps):
            raise _unfit(f"it has the apps {', '.join(installed)}")
    except (Stopped, ValueError, OSError) as trouble:
        say(f"Template {template} cannot be used: {trouble}. Creating the site the long way")
        dump.empty(database)
        return False
    for folder in SITE_FOLDERS:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    site_config.merge(directory, config)
    return True


def remove(site: str) -> None:
    """Removes the copy of the template from the directory of the site."""
    shutil.rmtree(template_store.folder(site), ignore_errors=True)


def hashed(password: str, salt: bytes) -> str:
    """A password as passlib's pbkdf2_sha256 stores it."""
    checksum = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)
    return f"$pbkdf2-sha256${ROUNDS}${_encoded(salt)}${_encoded(checksum)}"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data, b"./").decode().rstrip("=")


def _apps(record: dict[str, Any], template: str) -> list[str]:
    """The apps of the template. Raises Blocked when it is another one, or of other versions than those in the image."""
    if record.get("template") != template:
        raise _unfit(f"it is template {record.get('template')}")
    apps = record.get("apps")
    if not isinstance(apps, dict) or "frappe" not in apps:
        raise _unfit("its record names no apps")
    for app, version in apps.items():
        if app not in bench.apps():
            raise _unfit(f"the image does not contain {app}")
        if version != bench.version(app):
            raise _unfit(f"it is of {app} {version}, and the image contains {bench.version(app)}")
    return list(apps)


def _unfit(why: str) -> Blocked:
    return Blocked("TemplateUnfit", why)


def _forget_cache(database: Connection) -> None:
    """Deletes what an earlier attempt with this database has left in redis-cache, such as documents."""
    config = json.loads((paths.SITES / "common_site_config.json").read_text(encoding="utf-8"))
    redis_keys.forget(redis.server(config["redis_cache"]), database.database)


def _own(database: Connection, password: str) -> None:
    """Writes what is the site's own: the password of Administrator, and times that the site's age is told by.

    Without a time of its own a scheduled job would count as overdue since the template was made.
    """
    user = ("User", "Administrator", "password", hashed(password, secrets.token_bytes(16)))
    now = literal(_now(database).strftime("%Y-%m-%d %H:%M:%S.%f"))
    query(
        database,
        "START TRANSACTION;\n"
        "INSERT INTO `__Auth` (doctype, name, fieldname, `password`, encrypted) "
        f"VALUES ({', '.join(map(literal, user))}, 0);\n"
        f"UPDATE `tabScheduled Job Type` SET creation = {now};\n"
        f"UPDATE `tabUser` SET creation = {now};\n"
        "COMMIT;\n",
    )


def _now(database: Connection) -> datetime.datetime:
    """The time in the site's time zone, which Frappe writes without a zone. Raises Blocked for an unknown zone."""
    rows = query(
        database,
        "SELECT HEX(`value`) FROM `tabSingles` WHERE doctype = 'System Settings' AND field = 'time_zone' "
        "AND `value` <> '' LIMIT 1;",
    )
    name = text(rows[0][0]) if rows else DEFAULT_ZONE
    try:
        zone: datetime.tzinfo = zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        if name != DEFAULT_ZONE:
            raise _unfit(f"its time zone {name} is not known") from None
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return datetime.datetime.now(zone)
