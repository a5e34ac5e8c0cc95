"""`layout`: creates the `sites/` and `config/` folders that a pod uses, and the site's directory on its volume.

The folder `sites/` contains one site only, so that no process of the pod can change another. The site's directory is
created here as the user of the pod: on a volume without fsGroup the kubelet would create it with root as its owner.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import authorities, bench, credentials, durable, paths, tls
from . import release as releases
from .log import say
from .outcome import Blocked

SITE_FOLDERS = ("public/files", "private/files", "private/backups", "locks", "logs", paths.OURS)


def layout(
    site: str,
    volume: Path | None,
    view: Path,
    config: Path,
    bench_id: str,
    redis_cache_host: str,
    redis_queue_host: str,
    socketio_port: int,
    common_config: dict[str, Any],
    upgrading: bool,
    layers: list[str],
    authority: Path | None,
    authority_key: str,
) -> dict[str, Any]:
    """Creates `sites/` for `site`, `config/` for the bench CLI, and the site's directory on `volume`.

    Raises Blocked, and Retry for a pod whose apps must not run on the site's database.

    `volume` is None in a pod that does not mount the site's files. `upgrading`: whether this is a pod that upgrades the
    site. `layers`: keys of the app layers that are mounted. `authority`: a file with a certificate authority that the
    programs of the pod trust in addition; `authority_key`: its fingerprint, for the log.
    """
    os.umask(0o027)
    layered = _layers(layers)
    if volume is not None:
        _site_directory(volume / site)
        tls.link(site)
        if not upgrading:
            releases.check_image(site, volume / site)
    apps = bench.apps()
    durable.write(view / "apps.txt", "\n".join(apps) + "\n", 0o640)
    if (paths.SITES / "apps.json").is_file():
        durable.write(view / "apps.json", (paths.SITES / "apps.json").read_text(encoding="utf-8"), 0o640)
    queue = _redis_url(redis_queue_host)
    ours = {
        "bench_id": bench_id,
        "redis_cache": _redis_url(redis_cache_host),
        "redis_queue": queue,
        "redis_socketio": queue,
        "socketio_port": socketio_port,
    }
    if overruled := sorted(ours.keys() & common_config.keys()):
        say(f"commonSiteConfig cannot set {', '.join(overruled)}: the operator sets these keys")
    common = json.dumps({**common_config, **ours}, indent=1)
    durable.write(view / "common_site_config.json", common, 0o640)
    _assets(view / "assets", layered)
    (view / site).mkdir(exist_ok=True)
    # Without it the bench CLI does not accept the directory as a bench.
    (config / "pids").mkdir(exist_ok=True)
    if authority is not None:
        authorities.trust(authority, config)
        say(f"The programs of this pod trust the certificate authority of the site: {authority_key}")
    say(f"Prepared the directories of {site}, with the apps {', '.join(apps)}")
    return {}


def _redis_url(host: str) -> str:
    return f"redis://:{quote(credentials.redis_password(), safe='')}@{host}:6379/0"


def _layers(keys: list[str]) -> list[Path]:
    """The folders of the mounted app layers. Raises Blocked when one is missing or another one than expected."""
    records = {each.parent.parent: json.loads(each.read_text()) for each in paths.APPS.glob(f"*/{paths.LAYER_RECORD}")}
    folders = {record["key"]: folder for folder, record in records.items()}
    if missing := [key for key in keys if key not in folders]:
        raise Blocked(
            "LayerMissing",
            f"App layer {', '.join(missing)} is not on the common storage of the bench: delete the Job that built it, "
            "so that it is built again",
        )
    return [folders[key] for key in keys]


def _assets(target: Path, layers: list[Path]) -> None:
    """Links to the image's assets. For older images, whose assets are hidden by the mounted `sites/`, copies them. With
    layers, it is a folder of links with their assets as well."""
    temporary = target.with_name(".assets.new")
    _remove(temporary)
    built = bench.assets()
    if layers:
        _combine(built, temporary, layers)
    elif built.is_relative_to(paths.SITES):
        # Its links lead into apps/, which every container of the image has.
        shutil.copytree(built, temporary, symlinks=True)
    else:
        temporary.symlink_to(built)
    _remove(target)
    temporary.rename(target)


def _combine(built: Path, target: Path, layers: list[Path]) -> None:
    """Creates a folder with links to the assets of image and layers, and with the names of all built assets."""
    if built.is_relative_to(paths.SITES):
        shutil.copytree(built, target, symlinks=True)
    else:
        target.mkdir(mode=0o750)
        for entry in sorted(built.iterdir()):
            (target / entry.name).symlink_to(entry)
    for layer in layers:
        _remove(target / layer.name)
        (target / layer.name).symlink_to(layer / paths.OURS / "assets" / layer.name)
    for name in ("assets.json", "assets-rtl.json"):
        sources = [each for each in (built, *(layer / paths.OURS for layer in layers)) if (each / name).is_file()]
        names: dict[str, str] = {}
        for source in sources:
            names |= json.loads((source / name).read_text(encoding="utf-8"))
        if sources:
            _remove(target / name)
            durable.write(target / name, json.dumps(names, indent=1), 0o640)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _site_directory(directory: Path) -> None:
    if directory.is_symlink():
        raise Blocked(
            "VolumeInvalid",
            f"{directory.name} on the volume of the site is a symbolic link: replace it with a directory",
        )
    for folder in SITE_FOLDERS:
        (directory / folder).mkdir(parents=True, exist_ok=True)
