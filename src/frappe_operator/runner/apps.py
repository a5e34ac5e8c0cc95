"""`install-apps`: brings apps of the image into a site, one at a time.

Frappe installs an app in many steps and undoes none of them. Interrupted anywhere, the app is left half-installed: the
same command is then refused for ever (`DuplicateEntryError`), or the app is listed although its last steps never ran.
A file on the site's volume, written before `install-app` starts and removed when it has ended well, tells such an app
from one that is complete: its installation is repeated with `--force`, which takes up what is there.
"""

from pathlib import Path
from typing import Any

from . import bench, durable, paths
from .creation import LOCK_SECONDS
from .log import say
from .outcome import Blocked, Retry


def install(site: str, wanted: list[str]) -> dict[str, Any]:
    """Installs what the site lacks. Raises Blocked for an app that the image lacks, and Retry."""
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
    with durable.locked(ours / "lock", LOCK_SECONDS):
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
    """Runs `install-app` to its end. Whatever ends it otherwise leaves the mark behind."""
    force = ["--force"] if mark.exists() else []
    say(f"Installing {app}{' again, because an earlier attempt was interrupted' if force else ''}")
    durable.write(mark, "", 0o640)
    ended = bench.frappe("--site", site, "install-app", app, *force)
    if ended.code != 0:
        raise Retry("InstallationFailed", f"install-app {app} {ended.how}")
    durable.remove(mark)


def _with_required(wanted: list[str], present: list[str]) -> list[str]:
    """The apps, each after those it requires: what Frappe installed on the way would have no mark of its own."""
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
    ended = bench.frappe("--site", site, "list-apps")
    if ended.code != 0:
        raise Retry("InstallationFailed", f"list-apps {ended.how}")
    first_words = [line.split()[0] for line in ended.out.splitlines() if line.strip()]
    return [app for app in present if app in first_words]
