"""`inspect-image`: reports the apps and versions in the bench's image, and publishes its built assets for the proxy of
the bench."""

import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from . import bench, durable, paths
from .log import say

MARKER = ".published"
LOCK_SECONDS = 300


def inspect(image_key: str, common: Path, keep: list[str], want_apps: list[str]) -> dict[str, Any]:
    """Reads versions and publishes assets as `common/assets/<image_key>`. Raises Blocked."""
    os.umask(0o022)  # the proxy reads as another user
    versions = {app: bench.version(app) for app in bench.apps()}
    bench.major(versions["frappe"])
    say(f"Apps in the image: {', '.join(f'{app} {version}' for app, version in versions.items())}")
    _publish(common / "assets", image_key, keep)
    return {
        "assets": sum(each.stat().st_size for each in (common / "assets").rglob("*") if each.is_file()),
        "frappeVersion": versions["frappe"],
        "python": platform.python_version(),
        "apps": versions,
        "missing": [app for app in want_apps if app not in versions],
    }


def _publish(assets: Path, key: str, keep: list[str]) -> None:
    assets.mkdir(parents=True, exist_ok=True)
    with durable.locked(assets / ".lock", LOCK_SECONDS):
        for other in assets.iterdir():
            # What starts with a dot was being made, and what has no marker was being removed, when a run was killed: we
            # hold the lock.
            if other.is_dir() and (other.name not in (key, *keep) or not (other / MARKER).exists()):
                say(f"Removing the assets of image {other.name}")
                # First of all: a part of them with a marker would be taken for the whole when the image comes back.
                durable.remove(other / MARKER)
                shutil.rmtree(other)
        if (assets / key / MARKER).exists():
            say("The assets of this image are already published")
            return
        source = bench.assets()
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=assets))
        making.chmod(0o755)
        copied = _copy(source, making, (os.path.realpath(source),))
        durable.write(making / MARKER, "", 0o644)
        making.rename(assets / key)
        durable.sync_folder(assets)
        say(f"Published {copied} files")


def _copy(source: Path, target: Path, trail: tuple[str, ...]) -> int:
    """Copies a tree and the targets of its links, without node_modules. `trail`: the folders through which links led
    here."""
    copied = 0
    for entry in sorted(source.iterdir()):
        if entry.name == "node_modules":
            continue
        real = os.path.realpath(entry)
        if not _may_be_published(real):
            say(f"Not published: {entry} links to {real}")
        elif os.path.isdir(real) and real not in trail:
            (target / entry.name).mkdir()
            copied += _copy(Path(real), target / entry.name, (*trail, real))
        elif os.path.isfile(real):
            shutil.copyfile(real, target / entry.name)
            _sync(target / entry.name)
            copied += 1
    return copied


def _may_be_published(real: str) -> bool:
    """Whether a path belongs to the apps. A link must not publish secrets or system files of the pod."""
    roots = (paths.APPS, paths.BENCH / "assets", paths.SITES / "assets")
    return any(real.startswith(os.path.realpath(root) + os.sep) for root in roots)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
