"""Configuration of a bench and of a site: two files and a few environment variables, merged in that order."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from frappe.exceptions import IncorrectSitePath

DEFAULTS = {
    "redis_cache": "redis://localhost:13311",
    "redis_queue": "redis://localhost:11311",
    "db_host": "127.0.0.1",
    "db_port": 3306,
    "socketio_port": 9000,
}

FROM_ENVIRONMENT = {
    "FRAPPE_REDIS_CACHE": "redis_cache",
    "FRAPPE_REDIS_QUEUE": "redis_queue",
    "FRAPPE_DB_TYPE": "db_type",
    "FRAPPE_DB_HOST": "db_host",
    "FRAPPE_DB_PORT": "db_port",
    "FRAPPE_DB_SOCKET": "db_socket",
}

Conf = dict[str, Any]


def bench_path() -> Path:
    """The bench this program is installed in; `FRAPPE_BENCH_ROOT` wins."""
    chosen = os.environ.get("FRAPPE_BENCH_ROOT")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[3]


def sites_path() -> Path:
    """Where sites are looked for: the working directory, as all of Frappe's commands expect it."""
    return Path(os.environ.get("SITES_PATH", "."))


def common_conf() -> Conf:
    """What holds for every site of the bench."""
    return DEFAULTS | _read(sites_path() / "common_site_config.json") | _environment()


def site_conf(site: str, new: bool = False) -> Conf:
    """The merged configuration of a site. Raises IncorrectSitePath when it has none and is not being made."""
    file = sites_path() / site / "site_config.json"
    if not new and not file.is_file():
        raise IncorrectSitePath(f"{site} does not exist")
    own = _read(file)
    return DEFAULTS | _read(sites_path() / "common_site_config.json") | own | _environment()


def bench_id(conf: Conf) -> str:
    """The prefix of queue names: `bench_id` of the configuration, else the bench's path."""
    return str(conf.get("bench_id") or str(bench_path()).strip("/").replace("/", "-"))


def all_sites() -> list[str]:
    """Every site of this view of the bench: a real directory (a link is none) with a site_config.json."""
    return sorted(
        path.name
        for path in sites_path().iterdir()
        if path.name != "assets" and not path.is_symlink() and (path / "site_config.json").is_file()
    )


def all_apps() -> list[str]:
    """The apps that can be installed: the lines of apps.txt, frappe first."""
    listed = (sites_path() / "apps.txt").read_text().split()
    return ["frappe", *(app for app in listed if app != "frappe")]


def write_key(file: Path, key: str, value: Any) -> None:
    """Set one key of a configuration file in place; None takes it away. Not atomic: neither is Frappe's."""
    content = _read(file)
    if value is None:
        content.pop(key, None)
    else:
        content[key] = value
    file.write_text(json.dumps(content, indent=1, sort_keys=True))


def _environment() -> Conf:
    return {key: os.environ[name] for name, key in FROM_ENVIRONMENT.items() if os.environ.get(name)}


def _read(file: Path) -> Conf:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text() or "{}")
    except ValueError as error:
        # Frappe 15 says so and goes on without the file.
        print(f"{file} is invalid\n{error}", file=sys.stderr)
        return {}
    return dict(content)
