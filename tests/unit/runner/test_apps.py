"""`install-apps`: apps are installed one at a time, and the list of the site decides which are missing."""

import json

import pytest

from .pod import Pod
from .server import Server

SITE = "shop.example.com"
INSTALL = ("install-apps", f"--site={SITE}", "--apps=frappe,erpnext,hrms")


def whole(pod: Pod) -> list[str]:
    """The apps whose installation is complete, without marker files."""
    assert list((pod.bench / "sites" / SITE / ".frappe-operator").glob("installing-*")) == []
    states = (pod.bench / "sites" / SITE).glob("fake-*.txt")
    return sorted(path.stem.removeprefix("fake-") for path in states if path.read_text() == "whole")


@pytest.fixture
def site(pod: Pod, server: Server, database: str) -> Pod:
    """A pod whose site has only frappe installed."""
    directory = pod.bench / "sites" / SITE
    (directory / ".frappe-operator").mkdir(parents=True)
    (directory / ".frappe-operator" / "created.json").write_text("{}")
    (directory / "fake-apps.json").write_text('["frappe"]')
    (directory / "locks").mkdir()
    connection = {"db_host": "127.0.0.1", "db_port": server.port, "db_name": database, "db_password": "user-canary"}
    (directory / "site_config.json").write_text(json.dumps(connection))
    server.sql("CREATE TABLE tabDefaultValue (parent VARCHAR(140), defkey VARCHAR(140), defvalue TEXT);", database)
    server.sql("INSERT INTO `tabDefaultValue` VALUES ('__global', 'installed_apps', '[\"frappe\"]');", database)
    return pod


def test_what_lacks_is_installed_in_order(site: Pod) -> None:
    ended = site.run(*INSTALL)
    assert ended.code == 0, ended.output
    assert ended.report["apps"] == {"frappe": "15.51.1", "erpnext": "15.2.0", "hrms": "15.1.0"}
    assert [call[2] for call in site.calls() if call[1] == "install-app"] == ["erpnext", "hrms"]


def test_the_second_time_nothing_is_installed(site: Pod) -> None:
    site.run(*INSTALL)
    site.run(*INSTALL)
    assert len([call for call in site.calls() if call[1] == "install-app"]) == 2


def test_an_app_that_the_image_lacks_is_refused_before_anything_is_done(site: Pod) -> None:
    ended = site.run("install-apps", f"--site={SITE}", "--apps=erpnext,lending")
    assert (ended.code, ended.reason) == (64, "AppNotInImage")
    assert "lending is not in the image of the bench" in ended.message
    assert site.calls() == []


@pytest.mark.parametrize(
    "failure",
    [
        "install-app:exit",
        "install-app:kill",
        "install-app:lie",
        "install-half-way:exit",
        "install-half-way:kill",
        "install-half-way:oom",
        "install-after-listed:exit",
        "install-after-listed:kill",
    ],
)
def test_an_installation_that_ended_anywhere_is_reported_and_taken_up(site: Pod, failure: str) -> None:
    site.environment["FRAPPE_FAILS"] = failure
    ended = site.run(*INSTALL)
    assert ended.code != 0
    if not failure.endswith("kill"):
        assert ended.reason == "InstallationFailed"
    ended = site.run(*INSTALL)
    assert ended.code == 0, ended.output
    assert json.loads((site.bench / "sites" / SITE / "fake-apps.json").read_text()) == ["frappe", "erpnext", "hrms"]
    assert whole(site) == ["erpnext", "hrms"]


def test_an_app_that_was_half_installed_before_there_were_marks_heals(site: Pod) -> None:
    (site.bench / "sites" / SITE / "fake-erpnext.txt").write_text("half")
    ended = site.run(*INSTALL)
    assert (ended.code, ended.reason) == (1, "InstallationFailed")
    assert "DuplicateEntryError" in ended.message
    assert site.run(*INSTALL).code == 0
    assert whole(site) == ["erpnext", "hrms"]


def test_what_ended_well_is_not_installed_again(site: Pod) -> None:
    """A second installation may add duplicate rows for apps that do not check."""
    site.environment["FRAPPE_FAILS"] = "install-half-way:kill"
    site.run(*INSTALL)
    for _ in range(3):
        assert site.run(*INSTALL).code == 0
    installations = [call[2:] for call in site.calls() if call[1] == "install-app"]
    assert installations == [["erpnext"], ["erpnext", "--force"], ["hrms"]]


def test_killed_at_any_moment_it_ends_with_all_of_them(site: Pod) -> None:
    assert site.killed_everywhere(*INSTALL)
    assert json.loads((site.bench / "sites" / SITE / "fake-apps.json").read_text()) == ["frappe", "erpnext", "hrms"]
    assert whole(site) == ["erpnext", "hrms"]


@pytest.mark.parametrize(
    "hooks",
    [
        "required_apps = ['erpnext']",
        "required_apps: list = ('frappe/erpnext',)",
        "import nowhere\nrequired_apps = ['frappe', 'https://github.com/frappe/erpnext.git']",
    ],
)
def test_apps_that_another_requires_are_installed_before_it_with_a_mark_of_their_own(site: Pod, hooks: str) -> None:
    (site.bench / "apps" / "hrms" / "hrms" / "hooks.py").write_text(hooks)
    site.environment["FRAPPE_FAILS"] = "install-half-way:kill"
    words = ("install-apps", f"--site={SITE}", "--apps=hrms")
    site.run(*words)
    assert site.run(*words).code == 0
    installations = [call[2:] for call in site.calls() if call[1] == "install-app"]
    assert installations == [["erpnext"], ["erpnext", "--force"], ["hrms"]]


@pytest.mark.parametrize("hooks", ["required_apps = apps_of_today()", "this is no Python", ""])
def test_hooks_that_cannot_be_read_are_left_to_frappe(site: Pod, hooks: str) -> None:
    (site.bench / "apps" / "hrms" / "hrms" / "hooks.py").write_text(hooks)
    assert site.run("install-apps", f"--site={SITE}", "--apps=hrms").code == 0


def test_apps_that_require_each_other_are_installed_once(site: Pod) -> None:
    for app, other in (("hrms", "erpnext"), ("erpnext", "hrms")):
        (site.bench / "apps" / app / app / "hooks.py").write_text(f"required_apps = ['{other}']")
    assert site.run(*INSTALL).code == 0
    assert whole(site) == ["erpnext", "hrms"]


def test_an_app_whose_requirement_the_image_lacks_is_refused_before_anything_is_done(site: Pod) -> None:
    (site.bench / "apps" / "hrms" / "hrms" / "hooks.py").write_text("required_apps = ['payments']")
    ended = site.run(*INSTALL)
    assert (ended.code, ended.reason) == (64, "AppNotInImage")
    assert "hrms requires payments" in ended.message
    assert site.calls() == []


def test_a_site_that_is_not_made_yet_is_waited_for(pod: Pod) -> None:
    ended = pod.run(*INSTALL)
    assert (ended.code, ended.reason) == (1, "SiteNotCreated")


def test_a_site_that_does_not_say_what_it_has_is_left_alone(site: Pod, server: Server, database: str) -> None:
    server.sql("DROP TABLE IF EXISTS `tabDefaultValue`;", database)
    ended = site.run(*INSTALL)
    assert (ended.code, ended.reason) == (1, "DatabaseRefused")
    assert site.calls() == []


def test_no_process_of_frappe_is_started_for_a_site_that_has_all_apps(site: Pod) -> None:
    assert site.run(*INSTALL).code == 0
    calls = len(site.calls())
    ended = site.run(*INSTALL)
    assert ended.report["apps"] == {"frappe": "15.51.1", "erpnext": "15.2.0", "hrms": "15.1.0"}
    assert len(site.calls()) == calls
