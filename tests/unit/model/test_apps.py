"""The apps of a bench as declared, and where they are fetched from."""

import pytest

from frappe_operator.api.apps import App
from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.types import LocalReference
from frappe_operator.kube.stage import Blocked
from frappe_operator.model.apps import DeclaredApp, Repository, declared, repository


def of_json(text: str) -> tuple[DeclaredApp, ...]:
    return declared(FrappeBenchSpec(frappe_version="v15", apps_json=text))


@pytest.mark.parametrize(
    ("text", "app"),
    [
        ('["crm"]', DeclaredApp("crm")),
        ('[{"name": "crm", "branch": "main"}]', DeclaredApp("crm", branch="main")),
        (
            '[{"name": "crm", "gitBranch": "main", "gitUrl": "https://e.net/c"}]',
            DeclaredApp("crm", "", "https://e.net/c", "main"),
        ),
        ('[{"name": "crm", "version": "v1.2"}]', DeclaredApp("crm", version="v1.2")),
        ('[{"url": "https://e.net/a/Sea-Tide.git"}]', DeclaredApp("sea_tide", url="https://e.net/a/Sea-Tide.git")),
    ],
)
def test_objects_in_apps_json_have_the_fields_of_apps(text: str, app: DeclaredApp) -> None:
    assert of_json(text) == (app,)


def test_typed_apps_may_name_a_secret() -> None:
    app = App(name="crm", git_url="ssh://git@e.net/crm", auth_secret_ref=LocalReference(name="key"))
    assert declared(FrappeBenchSpec(frappe_version="v15", apps=[app])) == (
        DeclaredApp("crm", url="ssh://git@e.net/crm", secret="key"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["erpnext" "hrms"]', "appsJSON is not JSON (Expecting ',' delimiter at line 1, column 12)"),
        ('["erpnext",\n  hrms]', "at line 2, column 3"),
        (
            '["erpnext", {"name": "crm", "url": "http://e.net/crm"}]',
            "appsJSON[1]: the url of crm must be an https or ssh",
        ),
        ('[{"name": "crm", "url": "ext::sh -c reboot"}]', "must be an https or ssh URL"),
        ('[{"name": "crm", "url": "https://me:word@e.net/crm"}]', "without a password or token in it"),
        ('[{"name": "crm", "branch": "--upload-pack=reboot"}]', "must be the name of a branch or tag"),
        ('[{"name": "crm", "branch": "a", "version": "b"}]', "set only one of them"),
        ('[{"name": "crm", "branch": "a", "gitBranch": "b"}]', "gitBranch is given twice"),
        ('[{"name": "crm", "source": "image", "branch": "a"}]', "remove one of the two"),
        ('[{"name": "frappe", "branch": "a"}]', "frappe is always taken from the image"),
        ('[{"branch": "a"}]', "appsJSON[0]: no name"),
    ],
)
def test_a_problem_names_its_place(text: str, words: str) -> None:
    with pytest.raises(Blocked) as blocked:
        of_json(text)
    assert words in str(blocked.value)
    assert "word@" not in str(blocked.value)


@pytest.mark.parametrize(
    ("app", "found"),
    [
        (DeclaredApp("hrms"), Repository("https://github.com/frappe/hrms", "version-16")),
        (DeclaredApp("crm"), Repository("https://github.com/frappe/crm", "main")),
        (DeclaredApp("wiki"), Repository("https://github.com/frappe/wiki")),
        (DeclaredApp("hrms", version="v16.1.0"), Repository("https://github.com/frappe/hrms", "", "v16.1.0")),
        (
            DeclaredApp("hrms", url="https://github.com/frappe/hrms.git"),
            Repository("https://github.com/frappe/hrms.git", "version-16"),
        ),
        (DeclaredApp("hrms", url="https://e.net/hrms"), Repository("https://e.net/hrms")),
        (DeclaredApp("unheard_of"), None),
    ],
)
def test_official_apps_have_a_repository_and_a_branch(app: DeclaredApp, found: Repository | None) -> None:
    assert repository(app, 16) == found
