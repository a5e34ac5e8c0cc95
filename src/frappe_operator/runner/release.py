"""Records on a site's volume: the release that its database is at, and the latest upgrade.

New code never runs on an old database, nor old code on a new one: whatever starts on a site reads these records first.
"""

import json
from pathlib import Path
from typing import Any

from . import bench, durable, paths
from .outcome import Retry

MIGRATING, RESTORING = "migrating", "restoring"
UNDER_WAY = (MIGRATING, RESTORING)
"""States of an upgrade in which the database is neither at the old release nor at the new one."""


def of(directory: Path) -> dict[str, Any] | None:
    """The release that the database of the site is at, with the versions of its apps; None if it was not recorded."""
    return _read(directory / paths.OURS / "release.json")


def record(directory: Path, release: str, run: int = 0) -> None:
    """Records that the database is at a release, which is that of this image. It is durable when this returns.

    `run`: number of the upgrade that this commits; 0 for a site that was created.
    """
    body = {"release": release, "run": run, "apps": bench.versions()}
    durable.write(directory / paths.OURS / "release.json", json.dumps(body, indent=1), 0o640)


def upgrade_of(directory: Path) -> dict[str, Any]:
    """The record of the latest upgrade; empty if there was none."""
    return _read(directory / paths.OURS / "upgrade.json") or {}


def record_upgrade(directory: Path, upgrade: dict[str, Any]) -> None:
    """Records the latest upgrade. It is durable when this returns."""
    durable.write(directory / paths.OURS / "upgrade.json", json.dumps(upgrade, indent=1), 0o640)


def forget(directory: Path) -> None:
    """Removes the records of a site that is created anew in the directory of an earlier one."""
    for name in ("release.json", "upgrade.json"):
        if (directory / paths.OURS / name).exists():
            durable.remove(directory / paths.OURS / name)


def is_under_way(directory: Path) -> bool:
    """Whether an upgrade has changed the database and has neither succeeded nor been undone."""
    upgrade = upgrade_of(directory)
    return upgrade.get("state") in UNDER_WAY and not is_committed(of(directory), upgrade)


def is_committed(at: dict[str, Any] | None, upgrade: dict[str, Any]) -> bool:
    """Whether the record of the release was written by this upgrade. The removal of apps changes no release, and the
    same attempt may remove an app again that was installed in between: the number decides as well."""
    return at is not None and (at["release"], at.get("run", 0)) == (upgrade["to"], upgrade["run"])


def check_not_under_way(site: str, directory: Path) -> None:
    """Raises Retry while an upgrade of the site is under way."""
    if is_under_way(directory):
        target = upgrade_of(directory)["to"]
        raise Retry(
            "UpgradeRunning",
            f"Site {site} is being upgraded to release {target}: this continues when the upgrade has succeeded or was "
            "undone",
        )


def check_image(site: str, directory: Path) -> None:
    """Raises Retry if the apps of this image must not run on the database of the site."""
    check_not_under_way(site, directory)
    at = of(directory)
    if at is None:
        return  # The site of an operator that did not record releases.
    present = bench.versions()
    for app, migrated in at["apps"].items():
        if (own := present.get(app, migrated)) != migrated:
            release = at["release"]
            raise Retry(
                "ReleaseMismatch",
                f"The database of site {site} is at release {release} with {app} {migrated}, but this pod has {app} "
                f"{own}: it must not run before the site is upgraded",
            )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return body
