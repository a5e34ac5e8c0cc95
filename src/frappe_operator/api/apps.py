"""The apps of a bench, and how those that its image lacks are fetched."""

from typing import Annotated, Literal

from msgspec import Meta

from frappe_operator.api.types import (
    AppName,
    LocalReference,
    Rule,
    Section,
    matching,
    validations,
)

APPS_JSON = (
    'a JSON list of app names, such as ["erpnext", "hrms"], or of objects with a "name" or "url", and optionally a '
    '"branch" or "version"'
)
GIT_URL = (
    r"(https://[A-Za-z0-9][A-Za-z0-9.-]*|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*)"
    r"(:[0-9]{1,5})?(/[A-Za-z0-9._~%+-]+)+/?"
)
"""A URL of a git repository. No part of it can begin with `-`, which ssh would take for an option."""
GIT_URL_MESSAGE = (
    "must be an https or ssh URL of a git repository, such as https://github.com/frappe/crm or "
    "ssh://git@github.com/frappe/crm, without a password or token in it: use authSecretRef for those"
)
GIT_NAME = r"[A-Za-z0-9_][A-Za-z0-9_+-]*([./][A-Za-z0-9_+-]+)*"
"""A name of a branch or tag: no part of it is empty or begins with a dot, and it does not begin with `-`."""
GIT_NAME_MESSAGE = (
    "must be the name of a branch or tag or a full commit id: letters, digits, '_', '+', '-', with '.' and '/' "
    "between them"
)
APP = "[a-z][a-z0-9_]{0,63}"
TWO_NAMES = "gitBranch and version both say what is fetched: set only one of them"


def apps_json_schema() -> Meta:
    """The schema of `appsJSON`."""

    def spaced(*words: str) -> str:
        return r"[ \t\r\n]*".join(words)

    def apps(url: str, name: str) -> str:
        fields = "|".join(
            [
                spaced('"name"', ":", f'"{APP}"'),
                spaced('"source"', ":", '"(image|git)"'),
                spaced('"(url|gitUrl)"', ":", f'"{url}"'),
                spaced('"(branch|gitBranch|version)"', ":", f'"{name}"'),
            ]
        )
        app = f'("{APP}"|{spaced("[{]", f"({fields})", spaced("(,", f"({fields}))*"), "[}]")})'
        return spaced("^", r"\[", f"({app}", spaced("(,", f"{app})*"), r")?\]", "$")

    text = r'[^"\\\x00-\x1f]*'
    rules = (
        Rule(f"self.matches(r'{apps(text, text)}')", f"must be {APPS_JSON}"),
        Rule(
            f"!self.matches(r'{apps(text, text)}') || self.matches(r'{apps(GIT_URL, GIT_NAME)}')",
            f"a url {GIT_URL_MESSAGE}; a branch or version {GIT_NAME_MESSAGE}",
        ),
    )
    return Meta(max_length=16384, extra_json_schema=validations(*rules))


class App(Section):
    """An app that sites of the bench can install."""

    rules = (
        Rule("!has(self.gitBranch) || !has(self.version)", TWO_NAMES),
        Rule(
            "!has(self.source) || self.source != 'image' || (!has(self.gitUrl) && !has(self.gitBranch) && "
            "!has(self.version) && !has(self.authSecretRef))",
            "source: image takes the app from the image: remove gitUrl, gitBranch, version and authSecretRef, or set "
            "source: git",
        ),
    )

    name: Annotated[AppName, Meta(description="The app's Python package.", examples=["erpnext"])]
    source: Annotated[
        Literal["image", "git"] | None,
        Meta(
            description="Where the app is taken from: the image of the bench, or a git repository. Default: git if "
            "gitUrl, gitBranch or version is set, otherwise the image if it contains the app, otherwise git."
        ),
    ] = None
    git_url: Annotated[
        Annotated[str, matching(rf"^{GIT_URL}$", GIT_URL_MESSAGE, 512)] | None,
        Meta(
            description="Repository of the app, an https or ssh URL. Default: the repository of an official app.",
            examples=["https://github.com/frappe/crm"],
        ),
    ] = None
    git_branch: Annotated[
        Annotated[str, matching(rf"^{GIT_NAME}$", GIT_NAME_MESSAGE, 250)] | None,
        Meta(
            description="Branch that is fetched. Default: for an official app the branch that fits the Frappe of the "
            "image, otherwise the default branch of the repository.",
            examples=["version-15"],
        ),
    ] = None
    version: Annotated[
        Annotated[str, matching(rf"^{GIT_NAME}$", GIT_NAME_MESSAGE, 250)] | None,
        Meta(
            description="Tag, full commit id, or branch that is fetched, in place of gitBranch.", examples=["v15.30.0"]
        ),
    ] = None
    auth_secret_ref: Annotated[
        LocalReference | None,
        Meta(
            description="Secret of the same namespace with the login to the repository: `username` and `password`, or "
            "`token`, for https; `ssh-privatekey` and `known_hosts` for ssh; `ca.crt` for a server whose certificate "
            "is of your own authority."
        ),
    ] = None


class GitConfig(Section):
    """Fetching of apps from git repositories."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether apps that the image lacks may be fetched from git repositories. Default true, unless "
            "git is forbidden for the cluster by a setting of the operator."
        ),
    ] = None
