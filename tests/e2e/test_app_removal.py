"""An app leaves a site that is served only when somebody confirms it, after a dump, and takes its own tables only."""

import contextlib

import pytest

from sandbox.control_plane import KubectlError
from tests.e2e import guides
from tests.e2e.namespace import Namespace
from tests.e2e.observations import tables, visiting

pytestmark = [pytest.mark.node]

BENCH, SITE, HOST = guides.BENCH, guides.SITE, "holly.example.com"
DUMPS = f"/home/frappe/frappe-bench/sites/{HOST}/.frappe-operator/dumps"
TURN_SECONDS = 400.0


@pytest.fixture(scope="module")
def site(namespace: Namespace) -> Namespace:
    """A site with the two apps of its bench."""
    namespace.bench(BENCH, appsJSON='["erpnext", "hrms"]')
    namespace.site(SITE, BENCH, HOST, apps=["erpnext", "hrms"])
    namespace.until_ready("frappesite", SITE)
    return namespace


def states(namespace: Namespace) -> dict[str, str]:
    """What the status of the site says of each app."""
    return {each["name"]: each["state"] for each in namespace.get("fs", SITE)["status"]["apps"]}


def answering(namespace: Namespace) -> bool:
    """Whether the app hrms answers a visitor of the site."""
    return namespace.visitor(BENCH, HOST).get("/api/method/hrms.api.version").status == 200


def desk(namespace: Namespace) -> str:
    """The desk, as Administrator sees it."""
    visitor = namespace.visitor(BENCH, HOST)
    login = visitor.post("/api/method/login", {"usr": "Administrator", "pwd": namespace.password(SITE)})
    assert login.status == 200, login.body
    return visitor.get("/app").body


def in_gunicorn(namespace: Namespace, *command: str) -> str:
    return namespace.run("exec", f"deployment/{SITE}-gunicorn", "--container=gunicorn", "--", *command)


def test_an_app_that_is_taken_from_the_list_stays(site: Namespace) -> None:
    pods = {pod["metadata"]["uid"] for pod in site.pods(f"vyogo.tech/site={SITE},vyogo.tech/component=gunicorn")}
    guides.run(site, guides.APPS, guides.BUILD_AGAIN)
    guides.run(site, guides.APPS, guides.TAKE_FROM_LIST)
    site.until(lambda: states(site)["hrms"] == "NotWanted", "the status to say that hrms is not wanted")
    site.until_ready("frappesite", SITE)
    assert "vyogo.tech/confirm-uninstall=hrms" in site.condition("fs", SITE, "AppsInstalled")["message"]
    assert '"state":"NotWanted"' in guides.run(site, guides.APPS, guides.TAKE_FROM_LIST)
    assert answering(site)
    after = {pod["metadata"]["uid"] for pod in site.pods(f"vyogo.tech/site={SITE},vyogo.tech/component=gunicorn")}
    assert after == pods


def test_once_confirmed_it_leaves_although_operator_and_job_are_killed(site: Namespace) -> None:
    before = tables(site, BENCH, SITE)
    with visiting(site, BENCH, {SITE: HOST}) as visits:
        guides.run(site, guides.APPS, guides.CONFIRM)

        def removing() -> list[str]:
            pods = site.pods(f"vyogo.tech/site={SITE},vyogo.tech/component=upgrade")
            return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]

        site.until(lambda: bool(removing()), "the removal to begin", TURN_SECONDS)
        site.operator.kill()
        for pod in removing():
            # It may have ended by itself.
            with contextlib.suppress(KubectlError):
                site.run("delete", "pod", pod, "--grace-period=0", "--force")
        site.operator.start()
        site.until(lambda: "hrms" not in site.get("fs", SITE)["status"]["installedApps"], "hrms to leave", TURN_SECONDS)
        site.until_ready("frappesite", SITE)
    assert visits[SITE].wrong == []
    assert visits[SITE].maintenance
    assert states(site) == {"frappe": "Installed", "erpnext": "Installed"}
    assert not answering(site)
    assert "/assets/hrms/" not in desk(site)
    files = in_gunicorn(site, "ls", DUMPS).split()
    assert len([name for name in files if name.endswith(".removal.sql.gz")]) == 1, files
    after = tables(site, BENCH, SITE)
    assert before.keys() - after.keys() == {"tabExpense Claim", "tabLeave Application"}
    assert after["tabEmployee"] == before["tabEmployee"]


def test_it_can_be_installed_again(site: Namespace) -> None:
    site.site(SITE, BENCH, HOST, apps=["erpnext", "hrms"])
    site.until(lambda: states(site).get("hrms") == "Installed", "hrms to be installed again")
    site.until_ready("frappesite", SITE)
    assert answering(site)
