"""The apps of a bench as its spec declares them, and the repositories of official apps."""

import json
import re
from typing import Any, NamedTuple

from msgspec import Struct

from frappe_operator.api.apps import (
    APP,
    APPS_JSON,
    GIT_NAME,
    GIT_NAME_MESSAGE,
    GIT_URL,
    GIT_URL_MESSAGE,
    TWO_NAMES,
)
from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked

IMAGE, GIT = "image", "git"
"""Where an app can be taken from."""

HOME = "https://github.com/frappe/"
"""Where the repositories of the official apps are."""
BY_MAJOR, DEFAULT = "version-{}", ""
OFFICIAL = {
    "erpnext": BY_MAJOR,
    "hrms": BY_MAJOR,
    "payments": BY_MAJOR,
    "webshop": BY_MAJOR,
    "crm": "main",
    "helpdesk": "main",
    "lms": "main",
    "print_designer": "main",
    "builder": DEFAULT,
    "drive": DEFAULT,
    "gameplan": DEFAULT,
    "insights": DEFAULT,
    "wiki": DEFAULT,
}
"""Official apps, each with its branch: one per major version of Frappe, one for all, or the default of the
repository."""


class DeclaredApp(Struct, frozen=True):
    """An app of a bench as declared. Empty fields are not set."""

    name: str
    source: str = ""
    url: str = ""
    branch: str = ""
    version: str = ""
    """Tag, commit id or branch, in place of `branch`."""
    secret: str = ""
    """Name of the Secret with the login to the repository."""

    @property
    def from_git(self) -> bool:
        """Whether the spec names git as the source, also if the image contains the app."""
        return self.source == GIT or bool(self.url or self.branch or self.version)


class Repository(NamedTuple):
    """What is fetched for an app."""

    url: str
    branch: str = ""
    """Empty for `version`, or for the default branch of the repository."""
    version: str = ""
    """Tag, full commit id or branch; empty for `branch`."""

    @property
    def ref(self) -> str:
        """The branch, tag or commit, as shown to users."""
        return self.branch or self.version or "HEAD"


def declared(spec: FrappeBenchSpec) -> tuple[DeclaredApp, ...]:
    """The apps of a bench in order, each once, the first declaration of an app counts. Raises Blocked for an invalid
    list."""
    if spec.apps:
        apps = [
            DeclaredApp(
                name=app.name,
                source=app.source or "",
                url=app.git_url or "",
                branch=app.git_branch or "",
                version=app.version or "",
                secret=app.auth_secret_ref.name if app.auth_secret_ref else "",
            )
            for app in spec.apps
        ]
        fields = [f"apps[{index}]" for index in range(len(apps))]
    else:
        apps = _apps_json(spec.apps_json or "[]")
        fields = [f"appsJSON[{index}]" for index in range(len(apps))]
    for field, app in zip(fields, apps, strict=True):
        if problem := _problem(app):
            raise Blocked(Reason.INVALID_SPEC, f"{field}: {problem}")
    return tuple({app.name: app for app in reversed(apps)}[name] for name in dict.fromkeys(app.name for app in apps))


def repository(app: DeclaredApp, major: int) -> Repository | None:
    """What is fetched for an app on a major version of Frappe; None for an app without URL that is not official."""
    official = OFFICIAL.get(app.name)
    url = app.url or (f"{HOME}{app.name}" if official is not None else "")
    if not url:
        return None
    if app.branch or app.version:
        return Repository(url, app.branch, app.version)
    is_home = url.removesuffix("/").removesuffix(".git") == f"{HOME}{app.name}"
    return Repository(url, (official or "").format(major) if is_home else "")


def _problem(app: DeclaredApp) -> str:
    """Why a declaration is invalid, in addition to what the schema of `apps` checks; empty when it is valid."""
    if app.source not in ("", IMAGE, GIT):
        return f"source is {app.source}: must be image or git"
    if app.url and not (len(app.url) <= 512 and re.fullmatch(GIT_URL, app.url)):
        # Not quoted: it may contain a password.
        return f"the url of {app.name} {GIT_URL_MESSAGE}"
    for name in (app.branch, app.version):
        if name and not (len(name) <= 250 and re.fullmatch(GIT_NAME, name)):
            return f"{name!r} {GIT_NAME_MESSAGE}"
    if app.branch and app.version:
        return TWO_NAMES
    if app.source == IMAGE and (app.url or app.branch or app.version):
        return f"{app.name} has source image, and a url, branch or version: remove one of the two"
    if app.name == "frappe" and app.from_git:
        return "frappe is always taken from the image: use another image (imageConfig), or remove its source"
    return ""


def _apps_json(text: str) -> list[DeclaredApp]:
    try:
        listed = json.loads(text, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON is not JSON ({where}): must be {APPS_JSON}") from error
    except ValueError as error:
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON is not JSON ({error}): must be {APPS_JSON}") from error
    except RecursionError as error:
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON is nested too deeply: must be {APPS_JSON}") from error
    if isinstance(listed, _Object) or not isinstance(listed, list):
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON contains something else than apps: must be {APPS_JSON}")
    return [_app(index, each) for index, each in enumerate(listed)]


class _Object(NamedTuple):
    """An object in `appsJSON` as written, including duplicate keys."""

    fields: list[tuple[str, Any]]


KEYS = {
    "name": "name",
    "source": "source",
    "url": "url",
    "gitUrl": "url",
    "branch": "branch",
    "gitBranch": "branch",
    "version": "version",
}
"""The keys of an object in `appsJSON`, and the field of DeclaredApp that each sets."""


def _app(index: int, written: object) -> DeclaredApp:
    def refused(why: str) -> Blocked:
        return Blocked(Reason.INVALID_SPEC, f"appsJSON[{index}]: {why}: must be {APPS_JSON}")

    if isinstance(written, str):
        written = _Object([("name", written)])
    if not isinstance(written, _Object):
        raise refused("neither a name nor an object")
    values: dict[str, str] = {}
    for key, value in written.fields:
        field = KEYS.get(key)
        if field is None:
            raise refused(f"unknown key {key!a}")
        if not isinstance(value, str) or field in values:
            raise refused(f"{key} is {'given twice' if field in values else 'not a text'}")
        values[field] = value
    if "name" not in values and re.fullmatch(GIT_URL, values.get("url", "")):
        last = values["url"].rstrip("/").rpartition("/")[2].removesuffix(".git")
        values["name"] = last.lower().replace("-", "_")
    if not re.fullmatch(APP, values.get("name", "")):
        raise refused(f"{values['name']!a} is not the name of an app" if "name" in values else "no name")
    return DeclaredApp(**values)
