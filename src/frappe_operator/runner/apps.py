"""`install-apps`: installs apps of the image on a site, one at a time.

Frappe installs an app in many steps and rolls none of them back. An interrupted installation leaves an app that either
cannot be installed (`DuplicateEntryError`) or is listed as installed although its last steps never ran. A file on the
site's volume, which is written before `install-app` starts and removed when it succeeds, identifies such an app: its
installation is repeated with `--force`, which continues from what exists.
"""

import json
from pathlib import Path
from typing import Any

from . import bench, durable, paths, schema, site_config
from . import release as releases
from .log import say
from .outcome import Blocked, Retry


def install(site: str, wanted: list[str]) -> dict[str, Any]:
    """Installs the apps that the site lacks. Raises Blocked for an app that the image lacks, and Retry."""
    present = bench.apps()
    if absent := [app for app in wanted if app not in present]:
        raise Blocked(
            "AppNotInImage",
            f"{', '.join(absent)} is not in the image of the bench, which contains {', '.join(present)}: "
            "remove it from spec.apps, or use an image that contains it",
        )
    wanted = _with_required(wanted, present)
    ours = paths.SITES / site / paths.OURS
    if not (ours / "created.json").exists():
        raise Retry("SiteNotCreated", f"Site {site} has not been created yet")
    with durable.locked(ours / "lock", durable.SITE_LOCK_SECONDS):
        releases.check_not_under_way(site, paths.SITES / site)
        installed = _installed(site, present)
        for app in wanted:
            mark = ours / f"installing-{app}"
            if app not in installed or mark.exists():
                _install(site, app, mark)
                installed = _installed(site, present)
                # The list of the site decides: in some cases Frappe refuses an app and exits with 0.
                if app not in installed:
                    raise Retry("InstallationFailed", f"install-app {app} exited with 0, but {app} is not installed")
    say(f"Installed apps: {', '.join(installed)}")
    return {"apps": {app: bench.version(app) for app in installed}}


def _install(site: str, app: str, mark: Path) -> None:
    """Runs `install-app`. If it fails or is killed, the marker file of the app remains."""
    force = ["--force"] if mark.exists() else []
    say(f"Installing {app}{' again, because an earlier attempt was interrupted' if force else ''}")
    durable.write(mark, "", 0o640)
    ended = bench.frappe("--site", site, "install-app", app, *force)
    if ended.code != 0:
        raise Retry("InstallationFailed", f"install-app {app} {ended.how}")
    durable.remove(mark)


def _with_required(wanted: list[str], present: list[str]) -> list[str]:
    """The apps, each after those it requires. Otherwise Frappe would install a required app without a marker file of
    its own."""
    ordered: dict[str, None] = {}

    def add(app: str, trail: tuple[str, ...]) -> None:
        if app in trail or app in ordered:
            return
        if app not in present:
            raise Blocked(
                "AppNotInImage",
                f"{trail[-1]} requires {app}, which is not in the image of the bench: remove {trail[-1]} from "
                f"spec.apps, or use an image that contains {app}",
            )
        for required in bench.required_apps(app):
            add(required, (*trail, app))
        ordered[app] = None

    for app in wanted:
        add(app, ())
    return list(ordered)


def _installed(site: str, present: list[str]) -> list[str]:
    """The apps of the site by its database: Frappe itself would need seconds to start."""
    listed = schema.installed_apps(site_config.database(paths.SITES / site))
    names = json.loads(listed or "[]")
    return [app for app in present if app in names]
