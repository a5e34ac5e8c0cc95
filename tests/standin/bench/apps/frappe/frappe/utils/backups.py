"""Backups: a dump and tars in the site's private folder, named by the site's own clock."""

import datetime
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from frappe.conf import Conf, sites_path
from frappe.database import client_arguments, connected
from frappe.exceptions import FrappeError
from frappe.installer import single

KEPT_HOURS = 24


def backup(
    site: str,
    conf: Conf,
    *,
    with_files: bool = False,
    compress: bool = False,
    folder: Path | None = None,
    named: Mapping[str, Path | None] | None = None,
) -> None:
    """Back a site up. Raises FrappeError or the database's errors, and leaves no part of a dump behind."""
    own = sites_path() / site / "private/backups"
    _delete_old(own, int(conf.get("keep_backups_for_hours", KEPT_HOURS)))
    target = folder or own
    target.mkdir(parents=True, exist_ok=True)
    with connected(conf, site) as database:
        zone = ZoneInfo(single(database, "System Settings", "time_zone") or "Asia/Kolkata")
    stamp = datetime.datetime.now(zone).strftime("%Y%m%d_%H%M%S")
    ending = "tgz" if compress else "tar"
    wanted = {"site_config_backup": "site_config_backup.json", "database": "database.sql.gz"}
    if with_files:
        wanted |= {"files": f"files.{ending}", "private-files": f"private-files.{ending}"}
    print(f"Backup Summary for {site} at {datetime.datetime.now(zone)}")
    for part, name in wanted.items():
        file = (named or {}).get(part) or target / f"{stamp}-{site.replace('.', '_')}-{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if part == "database":
            _dump(conf, file)
        elif part == "site_config_backup":
            shutil.copyfile(sites_path() / site / "site_config.json", file)
        else:
            _pack(sites_path() / site, "private" if part == "private-files" else "public", file)
        print(f"{part.capitalize():<10}: {file} {file.stat().st_size} bytes")
    print(f"Backup for Site {site} has been successfully completed" + (" with files" if with_files else ""))


def _dump(conf: Conf, file: Path) -> None:
    options = ["--single-transaction", "--quick", "--lock-tables=false"]
    dump = ["mariadb-dump", *options, *client_arguments(conf)]
    with file.open("wb") as target:
        source = subprocess.Popen(dump, stdout=subprocess.PIPE)
        packed = subprocess.run(["gzip"], stdin=source.stdout, stdout=target, check=False)
        if source.wait() or packed.returncode:
            file.unlink()
            raise FrappeError("Database backup failed")


def _pack(site: Path, kind: str, file: Path) -> None:
    mode = "w:gz" if file.suffix == ".tgz" else "w"
    with tarfile.open(file, mode) as tar:  # type: ignore[call-overload]
        tar.add(site / kind / "files", f"./{site.name}/{kind}/files")


def _delete_old(folder: Path, hours: int) -> None:
    if folder.is_dir():
        for file in folder.iterdir():
            if file.stat().st_mtime < time.time() - hours * 3600:
                file.unlink()
