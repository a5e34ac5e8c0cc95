"""A running site: a stopped database is reported, a changed spec or image is rolled out, drift is repaired, and an
autoscaler adds and removes web servers."""

import json
import os
import signal

import pytest

from sandbox.cluster import Cluster
from tests.e2e.namespace import Namespace, process_of
from tests.e2e.observations import under_load, visiting

pytestmark = [pytest.mark.node]

BENCH, SITE, HOST = "orchard", "quince", "quince.example.com"


@pytest.fixture(scope="module")
def a_site(namespace: Namespace) -> Namespace:
    namespace.bench(BENCH)
    namespace.site(SITE, BENCH, HOST)
    namespace.until_ready("frappesite", SITE)
    return namespace


def test_a_stopped_database_is_said_within_a_minute_and_its_return_as_well(a_site: Namespace) -> None:
    server = process_of(a_site.get("pod", f"{BENCH}-mariadb-0"), "mariadbd")
    os.kill(server, signal.SIGSTOP)
    a_site.until(lambda: a_site.condition("fs", SITE)["reason"] == "DatabaseUnavailable", "the site to say so", 60)
    shown = a_site.run("get", "fs", SITE, "-o", "wide")
    assert f"MariaDB {BENCH}-mariadb of FrappeBench {BENCH} is not available" in shown
    os.kill(server, signal.SIGCONT)
    a_site.until_ready("frappesite", SITE)
    assert a_site.visitor(BENCH, HOST).get("/api/method/ping").status == 200


def test_a_changed_spec_reaches_the_children(a_site: Namespace) -> None:
    replicas = {"workerShort": 2, "workerLong": 0}
    amounts = {"gunicorn": {"requests": {"cpu": "150m", "memory": "200Mi"}}}
    a_site.site(SITE, BENCH, HOST, componentReplicas=replicas, componentResources=amounts)
    a_site.until_ready("frappesite", SITE)
    for part, count in (("worker-short", 2), ("worker-long", 0)):
        assert a_site.get("deployment", f"{SITE}-{part}")["spec"]["replicas"] == count
    [container, _] = a_site.get("deployment", f"{SITE}-gunicorn")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "150m", "memory": "200Mi"}
    a_site.site(SITE, BENCH, HOST)
    a_site.until_ready("frappesite", SITE)
    assert a_site.get("deployment", f"{SITE}-worker-long")["spec"]["replicas"] == 1


def test_a_new_image_is_looked_into_first_and_old_assets_stay(a_site: Namespace) -> None:
    visitor = a_site.visitor(BENCH, HOST)
    before = set(_assets(visitor.get("/login").body))
    a_site.bench(BENCH, frappeVersion="version-15-b")
    a_site.until(lambda: _image(a_site).partition("@")[0].endswith("version-15-b"), "the new image to arrive")
    a_site.until_ready("frappesite", SITE)
    after = set(_assets(visitor.get("/login").body))
    assert after
    assert after != before
    for asset in before | after:
        assert visitor.get(asset).status == 200, asset
    assert a_site.get("frappebench", BENCH)["status"]["image"]["frappeVersion"] == "15.52.0"


def test_an_image_that_does_not_exist_harms_nobody(a_site: Namespace) -> None:
    running = _image(a_site)
    a_site.bench(BENCH, frappeVersion="version-15-never")
    a_site.until(
        lambda: "version-15-never" in a_site.condition("fb", BENCH, "ImageReady")["message"], "the bench to say so", 90
    )
    assert _image(a_site) == running
    assert a_site.condition("fs", SITE)["status"] == "True"
    a_site.bench(BENCH, frappeVersion="version-15-b")
    a_site.until_ready("frappebench", BENCH)


def test_children_that_were_deleted_or_edited_are_put_right(a_site: Namespace) -> None:
    scheduler = a_site.get("deployment", f"{SITE}-scheduler")["metadata"]["uid"]
    a_site.run("delete", "deployment", f"{SITE}-scheduler")
    a_site.run("scale", "deployment", f"{SITE}-gunicorn", "--replicas=3")
    patch = json.dumps({"data": {"nginx.conf": "broken"}})
    a_site.run("patch", "configmap", f"{SITE}-front-door", f"--patch={patch}")

    def right() -> bool:
        found = a_site.find("deployment", f"{SITE}-scheduler")
        return (
            found is not None
            and found["metadata"]["uid"] != scheduler
            and a_site.get("deployment", f"{SITE}-gunicorn")["spec"]["replicas"] == 1
            and "location" in a_site.get("configmap", f"{SITE}-front-door")["data"]["nginx.conf"]
        )

    a_site.until(right, "the children to be right again", 30)
    a_site.until_ready("frappesite", SITE)


def test_a_web_server_under_load_gets_a_second_replica_and_gives_it_back_without_an_error(
    a_site: Namespace, metrics_server: Cluster
) -> None:
    # Half of what a pod requests is 60m. A site that has nothing to do uses a third of that, one under load a CPU.
    rules = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    web = {"enabled": True, "maxReplicas": 2, "targetCPUUtilization": 50, "behavior": rules}
    a_site.site(SITE, BENCH, HOST, componentHPA={"gunicorn": web})
    a_site.until_ready("frappesite", SITE)
    pods = f"vyogo.tech/site={SITE},vyogo.tech/component=gunicorn"
    # Others, of before, may be about to end.
    a_site.until(lambda: len(a_site.pods(pods)) == 1, "one web server")

    def ready() -> int:
        return int(a_site.get("deployment", f"{SITE}-gunicorn")["status"].get("readyReplicas", 0))

    with visiting(a_site, BENCH, {SITE: HOST}) as seen:
        with under_load(a_site, BENCH, HOST, clients=3) as answers:
            a_site.until(lambda: ready() == 2, "a second web server")
        # Its connections are ended last: until its pod is gone, it may fail a visitor.
        a_site.until(lambda: len(a_site.pods(pods)) == 1, "one web server to be gone again")
    assert set(answers) == {"200"}
    assert seen[SITE].wrong == []
    assert seen[SITE].statuses["page", 200] > 0
    assert a_site.get("deployment", f"{SITE}-gunicorn")["spec"]["replicas"] == 1


def _image(namespace: Namespace) -> str:
    image: str = namespace.get("deployment", f"{SITE}-gunicorn")["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _assets(page: str) -> list[str]:
    return [part.split('"')[0] for part in page.split('="') if part.startswith("/assets/")]
