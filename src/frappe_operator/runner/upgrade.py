"""`upgrade-site`: brings a site's database to the release of this image or removes apps, or leaves it as it was.

It runs while no other pod of the site does. The database is dumped, then Frappe's `migrate` or `uninstall-app` changes
it. If that fails, the dump is restored. `release.json` on the site's volume is written when the command has succeeded:
this commits the upgrade. Until then `upgrade.json` says what to do after an interruption: a command that was
interrupted is never continued, but undone and begun anew.
"""

import contextlib
import json
import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import bench, credentials, dump, durable, paths, redis, redis_keys, schema, site_config
from . import release as releases
from .child import Ended
from .credentials import Connection, redacted
from .external import login
from .log import say
from .outcome import Blocked, Retry
from .tls import hand_over, secured

MOST_BEGUN = 3
"""How often the change is begun in one attempt when it is interrupted."""

KEEP_DUMPS, TIMEOUT = 1, 7200
"""For a site that was found on its volume: dumps that are kept, and the seconds that `migrate` may take."""

REMOVAL = ".removal"
"""Part of the name of a dump from before a removal of apps. The latest of them is kept whatever else is."""

LINES, LINE_LENGTH, TEXT_BYTES = 10, 200, 600
"""Limits of what is reported about a failure. The whole report is at most 4096 bytes."""

_EXECUTING = re.compile(r"Executing (.+) in \S+ \(\S*\)$")
_PATCH_DONE = re.compile(r"Success: Done in|Failed to execute patch")
_DATABASE_LOST = re.compile(r"(?:Operational|Interface)Error:? \((?:0|1053|1927|20\d\d)\b")
_REDIS_LOST = re.compile(r"Service redis_\w+ is not running|redis\.exceptions\.(?:Connection|Timeout|BusyLoading)Error")
_LOCKED = re.compile(r"LockTimeoutError")
_OWN_KEYS = ("bench_id", "host_name", "max_file_size", "admin_password")


def upgrade(
    site: str,
    release: str,
    from_release: str,
    attempt: str,
    keep_dumps: int,
    timeout: int,
    patience: int,
    remove_apps: list[str],
    tls: str,
) -> dict[str, Any]:
    """Migrates the site to `release`, once for each `attempt`, and removes `remove_apps`. Raises Retry when the site is
    not created, or a server cannot be reached; and Blocked when the user of the database cannot log in.

    `from_release`: the release of a site that does not record it. `timeout`: seconds that each command may take.
    """
    directory = paths.SITES / site
    if not (directory / paths.OURS / "created.json").exists():
        raise Retry("SiteNotCreated", f"Site {site} has not been created yet")
    with durable.locked(directory / paths.OURS / "lock", durable.SITE_LOCK_SECONDS):
        frappe_version = bench.version("frappe")
        database = secured(credentials.database(), tls, patience, directory)
        login(database, frappe_version, patience)
        hand_over(directory, database)
        one = _Upgrade(site, directory, database, release, from_release, attempt, remove_apps)
        connection = site_config.connection(database, frappe_version)
        return one.run(connection, keep_dumps, timeout)


def take_up(site: str, directory: Path, database: Connection, release: str) -> None:
    """Brings a site that was found on its volume to the release of this image. The site's lock is held.

    Raises Blocked when that is not possible, and the database is as it was then.
    """
    at = releases.of(directory)
    made = json.loads((directory / paths.OURS / "created.json").read_text(encoding="utf-8"))
    before, now = at["apps"].get("frappe", "") if at else made["frappe"], bench.version("frappe")
    if at is None and before == now and not releases.is_under_way(directory):
        return releases.record(directory, release)
    if _numbers(now) < _numbers(before) or _numbers(now)[0] > _numbers(before)[0] + 1:
        raise Blocked(
            "VersionNotSupported",
            f"The database of site {site} is at Frappe {before}, and the image contains {now}: use an image that is "
            "not older, and at most one major version newer",
        )
    # A pod that is restarted does not repeat what has failed in it; a new Job does.
    one = _Upgrade(site, directory, database, release, "", f"create-{socket.gethostname()}")
    facts = one.run(site_config.connection(database, now), KEEP_DUMPS, TIMEOUT)
    if facts["outcome"] == "failed":
        raise Blocked(
            "UpgradeFailed",
            f"The site is not upgraded from Frappe {before} to {now}, and is as it was: {facts['cause']}",
        )
    return None


class _Upgrade:
    """One upgrade of a site, whose lock is held."""

    def __init__(
        self,
        site: str,
        directory: Path,
        database: Connection,
        release: str,
        from_release: str,
        attempt: str,
        remove: Sequence[str] = (),
    ) -> None:
        self.site, self.directory, self.database = site, directory, database
        self.release, self.attempt, self.remove = release, attempt, remove
        self.record = releases.upgrade_of(directory)
        self.recorded = releases.of(directory)
        self.at = self.recorded["release"] if self.recorded else from_release
        self.dumps = directory / paths.OURS / "dumps"

    def run(self, connection: dict[str, Any], keep_dumps: int, timeout: int) -> dict[str, Any]:
        restored = self._settle(connection)
        installed = self._present()
        removed = [app for app in installed if app in self.remove]
        if not self._migrates and not removed:
            without = f", without {', '.join(self.remove)}" if self.remove else ""
            say(f"The database of {self.site} is at release {self.release}{without}")
            return self._facts("migrated")
        if self.record.get("attempt") != self.attempt or self.record["state"] == "done":
            restored = False
            run = self.record.get("run", 0) + 1
            self.record = {"attempt": self.attempt, "run": run, "from": self.at, "to": self.release, "begun": 0}
        elif self.record["state"] == "failed":
            say("This attempt has failed before; nothing is done")
            return self._facts("failed")
        elif self.record["begun"] >= MOST_BEGUN:
            return self._fail(
                f"{self.command} was interrupted {MOST_BEGUN} times, the last time by "
                + self.record.get(
                    "interrupted", "the end of its pod, most likely because the memory limit was reached"
                ),
            )
        self.record.pop("interrupted", None)
        try:
            _check_not_needed(removed, installed)
            self._dump(restored)
            site_config.merge(self.directory, connection)
        except Blocked as blocked:
            return self._fail(blocked.message)
        ended = self._change(_dependents_first(removed), timeout)
        # The list of the site decides: what Frappe refuses, it only prints, and exits with 0.
        if ended.code == 0 and not self._present(removed):
            releases.record(self.directory, self.release, self.record["run"])
            self.at = self.release
            self._note(state="done")
            self._prune(keep_dumps)
            return self._facts("migrated")
        self._raise_if_a_retry_may_help(ended)
        self._note(state=releases.RESTORING, **_said(self.command, ended, timeout))
        self._restore(connection)
        self._note(state="failed")
        self._prune(max(keep_dumps, 1))
        return self._facts("failed")

    def _settle(self, connection: dict[str, Any]) -> bool:
        """Ends what an interrupted upgrade has begun. Returns whether the database is what its dump contains."""
        state = self.record.get("state")
        if state not in releases.UNDER_WAY:
            return False
        if releases.is_committed(self.recorded, self.record):
            self._note(state="done")
            return False
        say(f"The upgrade to {self.record['to']} was interrupted; undoing it")
        self._restore(connection)
        self._note(state="failed" if state == releases.RESTORING else "dumping")
        return True

    def _dump(self, restored: bool) -> None:
        """Dumps the database, and then the configuration. Nothing needs to be done for what was just restored."""
        path = self.dumps / f"{self.attempt}{REMOVAL if self.remove else ''}.sql.gz"
        if restored and dump.is_complete(path):
            return
        # Before the first file is written: a volume may be full to the last byte.
        dump.check_space(self.database, self.directory)
        self._note(state="dumping", dump=path.name)
        self.dumps.mkdir(exist_ok=True)
        begun = time.monotonic()
        say(f"Dumping the database of {self.site}")
        dump.save(self.database, path)
        text = (self.directory / "site_config.json").read_text(encoding="utf-8")
        durable.write(_config_of(path), text, 0o600)
        self._took("dump", begun)

    @property
    def _migrates(self) -> bool:
        """Whether the database is not known to be at the release of this image."""
        return self.recorded is None or self.at != self.release

    @property
    def command(self) -> str:
        """The command that changes the database, for messages."""
        return "uninstall-app" if self.remove else "migrate"

    def _present(self, among: Sequence[str] | None = None) -> list[str]:
        """The apps of the site by its database, all or those `among` these. Not read when no app is to be removed."""
        found: list[str] = json.loads(schema.installed_apps(self.database) or "[]") if self.remove else []
        return found if among is None else [app for app in found if app in among]

    def _change(self, removed: Sequence[str], timeout: int) -> Ended:
        """Migrates the database if it is of another release, and then removes the apps: old code never runs on a new
        database, nor new code on an old one."""
        self._note(state=releases.MIGRATING, begun=self.record["begun"] + 1)
        if self._migrates:
            say(f"Migrating {self.site} to release {self.release}; this takes a few minutes")
            ended = self._run("migrate", timeout=timeout)
        for app in removed:
            say(f"Removing {app} from {self.site}")
            ended = self._run("uninstall-app", app, "--yes", "--no-backup", timeout=timeout)
            if ended.code != 0 or self._present([app]):
                break
        return ended

    def _run(self, command: str, *arguments: str, timeout: int) -> Ended:
        begun = time.monotonic()
        ended = bench.frappe("--site", self.site, command, *arguments, timeout=timeout)
        self._took(command, begun)
        return ended

    def _raise_if_a_retry_may_help(self, ended: Ended) -> None:
        """Raises Retry when the command failed because a server went away: the next run undoes it and begins anew."""
        last = "\n".join(ended.lines[-30:])
        if _DATABASE_LOST.search(last):
            # Counted: the patch itself may be what ends the server.
            why = redacted(f"the loss of the connection to the database: {ended.log_tail}")[:LINE_LENGTH]
            self._note(interrupted=why)
            raise Retry("DatabaseUnavailable", f"{self.command} lost its connection to the database: {ended.log_tail}")
        if _REDIS_LOST.search(last):
            self._note(begun=self.record["begun"] - 1)
            raise Retry("RedisUnavailable", f"{self.command} reports that Redis cannot be reached")
        if _LOCKED.search(last):
            self._note(begun=self.record["begun"] - 1)
            raise Retry("SiteBusy", f"Another {self.command} has not ended yet: {ended.log_tail}")

    def _restore(self, connection: dict[str, Any]) -> None:
        """Puts database and configuration back, and forgets what was cached of the new release."""
        path = self.dumps / str(self.record["dump"])
        begun = time.monotonic()
        dump.restore(self.database, path)
        text = _config_of(path).read_text(encoding="utf-8")
        # Address and connection may have changed since: they are the operator's.
        site_config.put_back(self.directory, text, keep=[*connection, *_OWN_KEYS])
        for common in paths.SITES.glob("common_site_config.json"):
            url = json.loads(common.read_text(encoding="utf-8"))["redis_cache"]
            redis_keys.drop_cached(redis.server(url), self.database.database)
        self._took("restore", begun)
        say(f"The database of {self.site} is again as it was")

    def _fail(self, cause: str) -> dict[str, Any]:
        with contextlib.suppress(OSError):
            # On a full volume. Nothing was changed, so nothing is lost with the record.
            self._note(state="failed", cause=_short(cause), patch="", lines=[])
        return self._facts("failed")

    def _took(self, step: str, begun: float) -> None:
        self.record["seconds"] = {**self.record.get("seconds", {}), step: round(time.monotonic() - begun, 1)}

    def _note(self, **changes: Any) -> None:
        self.record = {**self.record, **changes}
        releases.record_upgrade(self.directory, self.record)

    def _facts(self, outcome: str) -> dict[str, Any]:
        facts: dict[str, Any] = {"outcome": outcome, "release": self.at}
        if self.record.get("to") == self.release:
            facts["seconds"] = self.record.get("seconds", {})
            if self.record.get("dump") and dump.is_complete(self.dumps / self.record["dump"]):
                facts["dump"] = self.record["dump"]
        if outcome == "failed":
            facts.update({key: self.record.get(key, "") for key in ("patch", "cause", "lines")})
            say(f"The upgrade has failed: {facts['cause']}")
        elif self.remove:
            facts["removed"] = sorted(self.remove)
        return facts

    def _prune(self, keep: int) -> None:
        """Deletes all but the latest complete dumps, and what interrupted ones have left. The dump from before the last
        removal of apps stays: it is the only copy of their data."""
        whole = [each for each in self.dumps.glob("*.sql.gz") if dump.is_complete(each)]
        whole.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        removals = [each for each in whole if REMOVAL in each.name]
        others = [each for each in whole if each not in removals]
        latest = [*others[:keep], *removals[:1]]
        kept = {file for each in latest for file in (each, dump.record_of(each), _config_of(each))}
        for file in self.dumps.iterdir():
            if file not in kept:
                file.unlink()


def _config_of(path: Path) -> Path:
    """The file beside a dump with the site_config.json of its time."""
    return path.with_name(f"{path.name}.site_config.json")


def _check_not_needed(removed: Sequence[str], installed: Sequence[str]) -> None:
    """Raises Blocked when an app cannot be removed: this image lacks it, or an app that stays requires it."""
    for app in removed:
        if app == "frappe" or app not in bench.apps():
            raise Blocked("AppNotInImage", f"{app} cannot be removed: the image that the site runs has to contain it")
    for other in installed:
        for app in removed if other not in removed else ():
            if app in bench.required_apps(other):
                raise Blocked("AppRequired", f"{app} cannot be removed: {other} requires it; remove {other} as well")


def _dependents_first(apps: Sequence[str]) -> list[str]:
    """The apps, each before those that it requires."""
    ordered: list[str] = []
    while left := [app for app in apps if app not in ordered]:
        needed = {each for app in left for each in bench.required_apps(app) if each != app}
        ordered += [app for app in left if app not in needed] or left
    return ordered


def _said(command: str, ended: Ended, timeout: int) -> dict[str, Any]:
    """What the output of a failed command tells: the patch, the cause, and the last lines."""
    patch = ""
    for line in ended.out.splitlines():
        if begun := _EXECUTING.search(line):
            patch = begun[1]
        elif _PATCH_DONE.search(line):
            patch = ""
    last = [_short(line, LINE_LENGTH) for line in ended.lines[-LINES:]]
    while len(json.dumps(last)) > 3 * TEXT_BYTES:
        last = last[1:]
    if ended.overdue:
        cause = f"{command} did not end within {timeout} seconds"
    elif ended.code < 0:
        cause = f"{command} {ended.how}"
    else:
        cause = ended.log_tail
    return {"patch": _short(patch), "cause": _short(cause), "lines": last}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3]) or (0,)


def _short(text: str, length: int = TEXT_BYTES) -> str:
    """The text without secrets, and at most so long that its JSON has `length` bytes."""
    text = redacted(text)
    while len(json.dumps(text)) > length:
        text = text[: len(text) * 9 // 10 - 1] + "…"
    return text
