"""`install-apps`: brings apps of the image into a site, one at a time."""

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
            f"{', '.join(absent)} is not in the bench's image, which has {', '.join(present)}: remove it from "
            "spec.apps, or give the bench an image that has it",
        )
    if not (paths.SITES / site / paths.OURS / "created.json").exists():
        raise Retry("SiteNotCreated", f"The site {site} has not been made yet")
    with durable.locked(paths.SITES / site / paths.OURS / "lock", LOCK_SECONDS):
        installed = _installed(site, present)
        for app in wanted:
            if app not in installed:
                say(f"Installing {app}")
                ended = bench.frappe("--site", site, "install-app", app)
                installed = _installed(site, present)
                # What counts is what the site says: some refusals of Frappe's exit with 0.
                if app not in installed:
                    raise Retry("InstallationFailed", f"install-app {app} {ended.how}")
    say(f"The site has {', '.join(installed)}")
    return {"apps": {app: bench.version(app) for app in installed}}


def _installed(site: str, present: list[str]) -> list[str]:
    ended = bench.frappe("--site", site, "list-apps")
    if ended.code != 0:
        raise Retry("InstallationFailed", f"list-apps {ended.how}")
    first_words = [line.split()[0] for line in ended.out.splitlines() if line.strip()]
    return [app for app in present if app in first_words]
