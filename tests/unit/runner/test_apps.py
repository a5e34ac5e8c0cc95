"""Apps come into a site one at a time, and only the site's own word counts."""

import json

import pytest

from .pod import Pod

SITE = "shop.example.com"
INSTALL = ("install-apps", f"--site={SITE}", "--apps=frappe,erpnext,hrms")


@pytest.fixture
def site(pod: Pod) -> Pod:
    """A pod whose site has frappe only."""
    directory = pod.bench / "sites" / SITE
    (directory / ".frappe-operator").mkdir(parents=True)
    (directory / ".frappe-operator" / "created.json").write_text("{}")
    (directory / "fake-apps.json").write_text('["frappe"]')
    return pod


def test_what_lacks_is_installed_in_order(site: Pod) -> None:
    ended = site.run(*INSTALL)
    assert ended.code == 0, ended.said
    assert ended.report["apps"] == {"frappe": "15.51.1", "erpnext": "15.2.0", "hrms": "15.1.0"}
    assert [call[2] for call in site.calls() if call[1] == "install-app"] == ["erpnext", "hrms"]


def test_the_second_time_nothing_is_installed(site: Pod) -> None:
    site.run(*INSTALL)
    site.run(*INSTALL)
    assert len([call for call in site.calls() if call[1] == "install-app"]) == 2


def test_an_app_that_the_image_lacks_is_refused_before_anything_is_done(site: Pod) -> None:
    ended = site.run("install-apps", f"--site={SITE}", "--apps=erpnext,lending")
    assert (ended.code, ended.reason) == (64, "AppNotInImage")
    assert "lending is not in the bench's image" in ended.message
    assert site.calls() == []


@pytest.mark.parametrize("how", ["exit", "kill", "lie"])
def test_a_failed_installation_is_reported_and_goes_on_where_it_was(site: Pod, how: str) -> None:
    site.environment["FRAPPE_FAILS"] = f"install-app:{how}"
    ended = site.run(*INSTALL)
    assert ended.code != 0
    if how != "kill":
        assert ended.reason == "InstallationFailed"
    ended = site.run(*INSTALL)
    assert ended.code == 0
    assert json.loads((site.bench / "sites" / SITE / "fake-apps.json").read_text()) == ["frappe", "erpnext", "hrms"]


def test_killed_at_any_moment_it_ends_with_all_of_them(site: Pod) -> None:
    assert site.killed_everywhere(*INSTALL)
    assert json.loads((site.bench / "sites" / SITE / "fake-apps.json").read_text()) == ["frappe", "erpnext", "hrms"]


def test_a_site_that_is_not_made_yet_is_waited_for(pod: Pod) -> None:
    ended = pod.run(*INSTALL)
    assert (ended.code, ended.reason) == (1, "SiteNotCreated")


def test_a_site_that_does_not_say_what_it_has_is_left_alone(site: Pod) -> None:
    site.environment["FRAPPE_FAILS"] = "list-apps:exit"
    ended = site.run(*INSTALL)
    assert (ended.code, ended.reason) == (1, "InstallationFailed")
    assert [call[1] for call in site.calls()] == ["list-apps"]
