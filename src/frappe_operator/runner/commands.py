"""The commands of the runner and their flags.

Exit codes: 0 for success, 1 for an error that a retry may resolve, 64 for blocked: the user must change something.
Every command may be run again at any time, also after it was killed at any point.
"""

import argparse
import json
import re
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from . import (
    apps,
    configuration,
    creation,
    database,
    external,
    image,
    layers,
    layout,
    redis_keys,
    report,
    template_making,
    tls,
    upgrade,
)
from .log import echo
from .outcome import Blocked, Stopped, Terminated

OK, TROUBLE, BLOCKED = 0, 1, 64


class _Flags(argparse.ArgumentParser):
    """An argument parser that raises Blocked for invalid flags, because then operator and runner have different
    versions."""

    def error(self, message: str) -> NoReturn:
        raise Blocked("InvalidArguments", f"{self.prog}: {message}")


def _matching(pattern: str) -> Callable[[str], str]:
    def value(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} does not match {pattern}")
        return text

    return value


def _list_of(pattern: str) -> Callable[[str], list[str]]:
    return lambda text: [_matching(pattern)(each) for each in text.split(",") if each]


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("is not a JSON object")
    return value


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SITE = _matching(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_OPTIONAL_SITE = _matching(rf"((?=.{{1,253}}$){_LABEL}(\.{_LABEL})*)?")
_KEY = r"[a-z0-9][a-z0-9.-]{0,62}"
_OPTIONAL_KEY = _matching(rf"({_KEY})?")
_ATTEMPT = _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_APP = r"[A-Za-z_][A-Za-z0-9_]*"
_ID_WORD = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,319}"
_ID = _matching(_ID_WORD)
_ADDRESS = _matching(r"https?://[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_LAYER = r"[0-9a-f]{16}"
_URL = _matching(
    r"(https://[A-Za-z0-9][A-Za-z0-9.-]*|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?"
    r"(/[A-Za-z0-9._~%+-]+)+/?"
)
_OPTIONAL_REF = _matching(r"([A-Za-z0-9_][A-Za-z0-9_+-]*([./][A-Za-z0-9_+-]+)*)?")
_HOST = _matching(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_OPTIONAL_HOST = _matching(r"([A-Za-z0-9][A-Za-z0-9.-]{0,252})?")


def _parser() -> argparse.ArgumentParser:
    root = _Flags(prog="frappe-operator", allow_abbrev=False)
    commands = root.add_subparsers(required=True)

    def command(name: str, run: Callable[..., dict[str, Any]]) -> argparse.ArgumentParser:
        flags = commands.add_parser(name, allow_abbrev=False)
        flags.set_defaults(run=run)
        return flags

    def patient(flags: argparse.ArgumentParser) -> argparse.ArgumentParser:
        flags.add_argument("--patience", type=int, default=60, help="seconds to wait for the database")
        return flags

    def with_tls(flags: argparse.ArgumentParser) -> argparse.ArgumentParser:
        flags.add_argument("--tls", choices=["", *tls.MODES], default="", help="TLS to a database of the user")
        return patient(flags)

    flags = command("layout", layout.layout)
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument("--volume", type=Path, help="root of the site's volume; absent in pods without files")
    flags.add_argument("--view", type=Path, required=True)
    flags.add_argument("--config", type=Path, required=True, help="the bench's config/, empty and writable")
    flags.add_argument("--bench-id", type=_ID, required=True)
    flags.add_argument("--redis-cache-host", type=_HOST, required=True)
    flags.add_argument("--redis-queue-host", type=_HOST, required=True)
    flags.add_argument("--socketio-port", type=int, default=9000)
    flags.add_argument("--common-config", type=_json_object, default={})
    flags.add_argument("--upgrading", action="store_true", help="the pod upgrades the site: its release may differ")
    flags.add_argument("--layers", type=_list_of(_LAYER), default=[], help="keys of the app layers that are mounted")
    flags.add_argument("--authority", type=Path, help="a certificate authority that programs trust in addition")
    flags.add_argument("--authority-key", default="", help="its fingerprint: pods with another one are replaced")

    flags = command("inspect-image", image.inspect)
    flags.add_argument("--image-key", type=_matching(_KEY), required=True)
    flags.add_argument("--common", type=Path, required=True)
    flags.add_argument("--keep", type=_list_of(_KEY), default=[])
    flags.add_argument("--want-apps", type=_list_of(_APP), default=[])

    flags = patient(command("prepare-database", database.prepare))
    flags.add_argument("--site", dest="site_name", type=_OPTIONAL_SITE, default="")
    flags.add_argument("--template", type=_OPTIONAL_KEY, default="", help="to be copied into the directory of the site")
    flags.add_argument("--store", default="", help="name of the database with the templates")
    patient(command("drop-database", database.drop))

    flags = command("drop-keys", redis_keys.drop)
    flags.add_argument("--site", required=True)
    flags.add_argument("--bench-ids", type=_list_of(_ID_WORD), required=True)
    flags.add_argument("--database", required=True, help="name of the database; empty if it is not known")
    # A server that is not named is gone, with all that was in it.
    flags.add_argument("--redis-queue-host", type=_OPTIONAL_HOST, required=True)
    flags.add_argument("--redis-cache-host", type=_OPTIONAL_HOST, required=True)

    command("drop-assets", redis_keys.drop_assets).add_argument("--redis-cache-host", type=_HOST, required=True)

    flags = with_tls(command("check-database", external.check))
    flags.add_argument("--frappe-version", required=True)
    flags.add_argument(
        "--owner", type=_ID, required=True, help="identifies the FrappeSite; the same for a site that is created again"
    )

    flags = with_tls(command("create-site", creation.create))
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument(
        "--owner", type=_ID, required=True, help="identifies the FrappeSite; the same for a site that is created again"
    )
    flags.add_argument("--bench-id", type=_ID, required=True)
    flags.add_argument(
        "--host-name", type=_ADDRESS, required=True, help="the address with which links to the site begin"
    )
    flags.add_argument("--max-file-size", type=int, required=True, help="bytes of the largest request")
    flags.add_argument(
        "--set-password", action="store_true", help="set the password of the Secret for the user of the database"
    )

    flags.add_argument("--template", type=_OPTIONAL_KEY, default="", help="the site may be copied from it")
    flags.add_argument("--release", type=_OPTIONAL_KEY, default="", help="the release of this image, which is recorded")

    flags = with_tls(command("upgrade-site", upgrade.upgrade))
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument("--release", type=_matching(_KEY), required=True, help="the release of this image")
    flags.add_argument(
        "--from", dest="from_release", type=_OPTIONAL_KEY, required=True, help="the release of a site without a record"
    )
    flags.add_argument("--attempt", type=_ATTEMPT, required=True, help="an attempt that has failed is not repeated")
    flags.add_argument("--keep-dumps", type=int, required=True, help="dumps of the database that are kept")
    flags.add_argument("--timeout", type=int, required=True, help="seconds that each command of Frappe may take")
    flags.add_argument("--remove-apps", type=_list_of(_APP), default=[], help="apps that are removed with their data")

    flags = with_tls(command("configure-site", configuration.configure))
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument(
        "--host-name", type=_ADDRESS, required=True, help="the address with which links to the site begin"
    )
    flags.add_argument("--max-file-size", type=int, required=True, help="bytes of the largest request")
    flags.add_argument(
        "--set-password", action="store_true", help="set the password of the Secret for the user of the database"
    )

    command("prepare-layers", layers.prepare).add_argument("--common", type=Path, required=True)

    flags = command("build-app", layers.build)
    flags.add_argument("--app", type=_matching(_APP), required=True)
    flags.add_argument("--key", type=_matching(_LAYER), required=True)
    flags.add_argument("--url", type=_URL, required=True)
    flags.add_argument("--branch", type=_OPTIONAL_REF, default="")
    flags.add_argument("--version", type=_OPTIONAL_REF, default="", help="a tag, a full commit id, or a branch")
    flags.add_argument("--layers", type=Path, required=True, help="folder with one folder per layer")
    flags.add_argument("--others", type=_list_of(_APP), default=[], help="other apps that are built into layers")

    flags = command("remove-layers", layers.remove)
    flags.add_argument("--layers", type=Path, required=True, help="folder with one folder per layer")
    flags.add_argument("--keep", type=_list_of(_LAYER), required=True, help="layers that stay")

    flags = command("install-apps", apps.install)
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument("--apps", dest="wanted", type=_list_of(_APP), required=True)

    flags = patient(command("prepare-template", template_making.prepare))
    flags.add_argument("--database", required=True)
    flags.add_argument("--store", required=True, help="name of the database with the templates")
    flags.add_argument("--owner", type=_ID, required=True, help="identifies the FrappeBench")
    flags.add_argument("--connection", type=Path, required=True, help="folder for the login of the database")

    flags = patient(command("make-template", template_making.make))
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument("--bench-id", type=_ID, required=True)
    flags.add_argument("--template", type=_matching(_KEY), required=True)
    flags.add_argument("--apps", dest="wanted", type=_list_of(_APP), required=True)
    flags.add_argument("--out", type=Path, required=True, help="folder for the dump")

    flags = patient(command("publish-template", template_making.publish))
    flags.add_argument("--site", type=_SITE, required=True)
    flags.add_argument("--bench-id", type=_ID, required=True)
    flags.add_argument("--database", required=True)
    flags.add_argument("--store", required=True, help="name of the database with the templates")
    flags.add_argument("--template", type=_matching(_KEY), required=True)
    flags.add_argument("--keep", type=_list_of(_KEY), default=[])
    flags.add_argument("--out", type=Path, required=True, help="folder with the dump")
    flags.add_argument("--redis-queue-host", type=_HOST, required=True)
    flags.add_argument("--redis-cache-host", type=_HOST, required=True)
    return root


def main(argv: list[str]) -> int:
    """Runs one command and writes its report. Returns the exit code."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _terminate)
    try:
        values = vars(_parser().parse_args(argv))
        facts = values.pop("run")(**values)
    except Stopped as stop:
        report.write(False, stop.reason, stop.message, blocked=stop.blocked)
        return BLOCKED if stop.blocked else TROUBLE
    except Terminated:
        report.write(False, "Interrupted", "The pod was stopped before the task was done; the task is retried")
        return TROUBLE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        report.write(False, "StorageFailed", f"{where}{error.strerror or error}")
        return TROUBLE
    except Exception as error:
        for line in traceback.format_exc().splitlines():
            echo(line)
        report.write(False, "RunnerError", f"{type(error).__name__}: {error}")
        return TROUBLE
    report.write(True, "Succeeded", f"{argv[0]} has succeeded", facts=facts)
    return OK


def _terminate(number: int, _frame: FrameType | None) -> None:
    # Once is enough: what follows is only clearing up.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise Terminated(number)
