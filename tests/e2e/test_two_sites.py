"""Two sites on one bench, from nothing: they answer, and neither reaches the other."""

import json
import re

import pytest

from tests.e2e.namespace import Namespace, Visitor

pytestmark = [pytest.mark.node]

BENCH, PEAR, PLUM = "orchard", "pear", "plum"
PEAR_HOST, PLUM_HOST = "pear.example.com", "plum-shop"
PLUM_DOMAIN, PLUM_ALIAS = "plum.example.com", "www.plum.example.com"


@pytest.fixture(scope="module")
def two_sites(namespace: Namespace) -> Namespace:
    namespace.bench(BENCH, appsJSON='["erpnext"]')
    namespace.site(PEAR, BENCH, PEAR_HOST)
    namespace.site(PLUM, BENCH, PLUM_HOST, domain=PLUM_DOMAIN, aliases=[PLUM_ALIAS], apps=[])
    for name in (PEAR, PLUM):
        namespace.until_ready("frappesite", name)
    return namespace


def logged_in(namespace: Namespace, site: str, host: str) -> Visitor:
    visitor = namespace.visitor(BENCH, host)
    answer = visitor.post("/api/method/login", {"usr": "Administrator", "pwd": namespace.password(site)})
    assert answer.status == 200, answer.body
    return visitor


def test_each_answers_ping_and_its_login_page_has_all_its_assets(two_sites: Namespace) -> None:
    for host in (PEAR_HOST, PLUM_DOMAIN, PLUM_ALIAS, "PLUM.example.com"):
        visitor = two_sites.visitor(BENCH, host)
        assert json.loads(visitor.get("/api/method/ping").body) == {"message": "pong"}
        assets = re.findall(r'"(/assets/[^"]+)"', visitor.get("/login").body)
        assert assets
        for asset in assets:
            assert visitor.get(asset).status == 200, asset


def test_each_answers_only_on_its_own_hosts(two_sites: Namespace) -> None:
    for host in (PLUM_HOST, "unknown.example.com", "pear.example.com.evil.com"):
        assert two_sites.visitor(BENCH, host).get("/api/method/ping").status == 404
    claimed = two_sites.visitor(BENCH, PEAR_HOST).get("/api/method/standin.whoami", X_Frappe_Site_Name=PLUM_HOST)
    assert PEAR_HOST in claimed.body
    assert PLUM_HOST not in claimed.body


def test_the_password_in_the_secret_logs_in_on_its_own_site_only(two_sites: Namespace) -> None:
    logged_in(two_sites, PEAR, PEAR_HOST)
    other = two_sites.visitor(BENCH, PLUM_DOMAIN)
    form = {"usr": "Administrator", "pwd": two_sites.password(PEAR)}
    assert other.post("/api/method/login", form).status == 401


def test_gunicorn_cannot_be_reached_around_its_front_door(two_sites: Namespace) -> None:
    [pod] = two_sites.pods(f"vyogo.tech/site={PEAR},vyogo.tech/component=gunicorn")
    ip = pod["status"]["podIP"]
    with pytest.raises(OSError, match="refused"):
        Visitor(f"{ip}:8000", PEAR_HOST).get("/api/method/ping")
    through = Visitor(f"{ip}:8080", PEAR_HOST).get("/api/method/standin.whoami", X_Frappe_Site_Name=PLUM_HOST)
    assert PEAR_HOST in through.body


def test_no_worker_runs_the_other_sites_jobs(two_sites: Namespace) -> None:
    sites = {PEAR: PEAR_HOST, PLUM: PLUM_DOMAIN}
    visitors = {site: logged_in(two_sites, site, host) for site, host in sites.items()}
    for site, visitor in visitors.items():
        for queue in ("short", "default", "long"):
            path = f"/api/method/standin.enqueue?queue={queue}&seconds=0&marker={site}-{queue}"
            assert visitor.get(path).status == 200
    for site, visitor in visitors.items():
        two_sites.until(lambda visitor=visitor: len(_jobs(visitor)) == 3, f"{site}'s three jobs to be done", 60)  # type: ignore[misc]
        for job in _jobs(visitor):
            assert job["marker"].startswith(f"{site}-")
            assert job["worker"].startswith(f"{site}-worker-")


def _jobs(visitor: Visitor) -> list[dict[str, str]]:
    """What was asked for and done; the scheduler's own beat aside."""
    done: list[dict[str, str]] = json.loads(visitor.get("/api/method/standin.jobs").body)["message"]
    return [job for job in done if job["marker"] != "beat"]


def test_a_site_has_the_apps_it_asks_for(two_sites: Namespace) -> None:
    installed = {name: two_sites.get("frappesite", name)["status"]["installedApps"] for name in (PEAR, PLUM)}
    assert installed == {PEAR: ["frappe", "erpnext"], PLUM: ["frappe"]}


def test_no_password_is_anywhere_but_in_secrets(two_sites: Namespace) -> None:
    secrets = [two_sites.password(name) for name in (PEAR, PLUM)]
    for name in (f"{PEAR}-db-connection", f"{BENCH}-redis", f"{BENCH}-mariadb-root"):
        secrets.append(two_sites.run("get", "secret", name, "--template={{.data.password | base64decode}}"))
    places = {
        "objects": two_sites.run("get", "all,configmaps,ingresses,events,frappebenches,frappesites", "-o", "yaml"),
        "operator": two_sites.operator.log.read_text(),
    }
    for pod in two_sites.pods("app.kubernetes.io/managed-by=frappe-operator"):
        name = pod["metadata"]["name"]
        places[f"log of {name}"] = two_sites.run("logs", name, "--all-containers")
    for place, text in places.items():
        for secret in secrets:
            assert secret not in text, place
