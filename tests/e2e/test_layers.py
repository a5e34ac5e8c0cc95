"""An app that the image lacks comes from a private git server into the pods of a site; builds that fail touch none."""

import base64
import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import images
from sandbox.cluster import Cluster
from sandbox.control_plane import KubectlError
from tests.e2e.namespace import Namespace, process_of
from tests.repositories import Repositories, repositories

pytestmark = [pytest.mark.node]

BENCH, SITE, HOST = "copse", "maple", "maple.example.com"
SECRET, LOGIN = "hrms-repository", ("not-in-any-log-4471", "nor-in-a-status-4471")
HRMS = images.STANDIN / "bench/apps/hrms"
FOLDER = "/home/frappe/frappe-bench/apps/hrms"
PYPROJECT = """\
[project]
name = "hrms"
requires-python = ">=3.10"
dependencies = ["redis>=4"]
[tool.bench.frappe-dependencies]
frappe = ">=15.0.0,<16.0.0"
"""


def source(version: str) -> dict[str, str]:
    """The files of hrms in its repository: those that the image lacks, and the description of the package."""
    files = [path for path in HRMS.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    texts = {str(path.relative_to(HRMS)): path.read_text() for path in files}
    return {**texts, "hrms/__init__.py": f'__version__ = "{version}"\n', "pyproject.toml": PYPROJECT}


@pytest.fixture(scope="module")
def server(node_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repositories]:
    """A git server at the address that this machine has among the pods; it does not answer yet."""
    address = str(node_cluster.state.addresses.gateway)
    with repositories(tmp_path_factory.mktemp("git"), address) as offered:
        offered.commit("hrms", source("15.33.0"), branch="version-15")
        offered.login = LOGIN
        offered.answering.clear()
        yield offered


def declare(namespace: Namespace, server: Repositories, **ref: str) -> None:
    """Declares the bench with hrms from this branch or version."""
    hrms = {"name": "hrms", "gitUrl": server.url("hrms"), "authSecretRef": {"name": SECRET}, **ref}
    namespace.bench(BENCH, frappeVersion="version-15-without-hrms", apps=[{"name": "erpnext"}, hrms])


@pytest.fixture(scope="module")
def declared(namespace: Namespace, server: Repositories) -> Namespace:
    """A bench and a site that are declared, while the git server does not answer."""
    data = {"username": LOGIN[0], "password": LOGIN[1], "ca.crt": server.ca}
    meta = {"namespace": namespace.name, "name": SECRET}
    namespace.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})
    declare(namespace, server, gitBranch="version-15")
    namespace.site(SITE, BENCH, HOST)
    return namespace


@pytest.fixture(scope="module")
def site(declared: Namespace, server: Repositories) -> Namespace:
    """The bench and its site, which are Ready."""
    server.answering.set()
    declared.until_ready("frappebench", BENCH)
    declared.until_ready("frappesite", SITE)
    return declared


def builders(namespace: Namespace) -> list[dict[str, Any]]:
    """The pods that build layers and are not done."""
    pods = namespace.pods(f"vyogo.tech/bench={BENCH},vyogo.tech/component=app")
    return [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]


def asks(namespace: Namespace, server: Repositories, known: int) -> None:
    """Waits until a builder waits for the answer to a request."""
    namespace.until(lambda: len(server.requests) > known, "the builder to ask the git server", 120)


def running(namespace: Namespace) -> dict[str, list[int]]:
    """The pods of the site and of the proxy, with the restarts of their containers."""
    pods = [*namespace.pods(f"vyogo.tech/site={SITE}"), *namespace.pods("vyogo.tech/component=nginx")]
    return {
        pod["metadata"]["uid"]: [each["restartCount"] for each in pod["status"]["containerStatuses"]]
        for pod in pods
        if pod["status"]["phase"] == "Running"
    }


def answering(namespace: Namespace) -> dict[str, str]:
    """The copy of hrms that answers."""
    answer = namespace.visitor(BENCH, HOST).get("/api/method/hrms.api.version")
    return dict(json.loads(answer.body)["message"]) if answer.status == 200 else {"version": str(answer.status)}


def bundle(namespace: Namespace) -> str:
    """The script of hrms that the desk names."""
    visitor = namespace.visitor(BENCH, HOST)
    login = visitor.post("/api/method/login", {"usr": "Administrator", "pwd": namespace.password(SITE)})
    assert login.status == 200, login.body
    (found,) = re.findall(r'"(/assets/hrms/[^"]+)"', visitor.get("/app").body)
    return str(found)


def assert_login_is_nowhere(namespace: Namespace) -> None:
    """Logs, Events, objects and their status contain no part of the login to the repository."""
    places = {
        "objects": namespace.run("get", "all,configmaps,pvc,events,fb,fs", "-o", "yaml"),
        "operator": namespace.operator.log.read_text(),
    }
    for pod in namespace.get("pods")["items"]:
        name = pod["metadata"]["name"]
        places[f"log of {name}"] = namespace.run("logs", name, "--all-containers")
    for place, text in places.items():
        for secret in (*LOGIN, base64.b64encode(":".join(LOGIN).encode()).decode()):
            assert secret not in text, place


def test_a_builder_has_no_rights_and_one_that_is_killed_begins_again(declared: Namespace, server: Repositories) -> None:
    asks(declared, server, 0)
    (pod,) = builders(declared)
    name = pod["metadata"]["name"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    look = "ls /var/run/secrets/kubernetes.io; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    seen = declared.run("exec", name, "--", "sh", "-c", f"({look}) 2>&1 | tr '\\0' '\\n'")
    assert "'/var/run/secrets/kubernetes.io': No such file" in seen
    assert "ls-remote" in seen
    assert [each for each in LOGIN if each in seen] == []
    assert declared.condition("fb", BENCH, "AppsReady")["reason"] == "JobRunning"

    known = len(server.requests)
    os.kill(process_of(pod, "python"), signal.SIGKILL)
    asks(declared, server, known)
    (pod,) = builders(declared)
    assert (pod["metadata"]["name"], pod["status"]["containerStatuses"][0]["restartCount"]) == (name, 1)

    known = len(server.requests)
    declared.run("delete", "pod", name, "--wait=false")
    asks(declared, server, known)
    assert name not in {each["metadata"]["name"] for each in builders(declared)}
    server.answering.set()
    declared.until_ready("frappebench", BENCH)


def test_the_site_has_the_app(site: Namespace) -> None:
    assert site.get("fs", SITE)["status"]["installedApps"] == ["frappe", "erpnext", "hrms"]
    assert answering(site) == {"version": "15.33.0", "file": f"{FOLDER}/hrms/api.py"}
    script = site.visitor(BENCH, HOST).get(bundle(site))
    assert (script.status, "stand-in: hrms" in script.body) == (200, True)
    (layer,) = site.get("fb", BENCH)["status"]["layers"]
    assert (layer["app"], layer["version"], layer["ref"]) == ("hrms", "15.33.0", "version-15")
    assert "note" not in layer


def test_no_container_of_the_site_can_write_to_the_layer(site: Namespace) -> None:
    tried = 0
    for pod in site.pods(f"vyogo.tech/site={SITE}"):
        for container in pod["spec"]["containers"] if pod["status"]["phase"] == "Running" else []:
            if FOLDER in [each["mountPath"] for each in container["volumeMounts"]]:
                command = ["touch", f"{FOLDER}/hrms/hooks.py", f"{FOLDER}/new"]
                with pytest.raises(KubectlError, match="Read-only file system"):
                    site.run("exec", pod["metadata"]["name"], f"--container={container['name']}", "--", *command)
                tried += 1
    assert tried >= 6


def test_a_branch_that_does_not_exist_is_said_and_restarts_no_pod(site: Namespace, server: Repositories) -> None:
    before = running(site)
    assert before
    declare(site, server, gitBranch="version-99")
    site.until(lambda: site.condition("fb", BENCH, "AppsReady")["reason"] == "GitRefNotFound", "the bench to say so")
    said = site.condition("fb", BENCH, "AppsReady")
    assert said["status"] == "False"
    assert f"hrms, fetch: {server.url('hrms')} has no branch version-99; its branches are version-15" in said["message"]
    assert site.condition("fs", SITE, "Serving")["status"] == "True"
    assert answering(site)["version"] == "15.33.0"
    assert_login_is_nowhere(site)
    declare(site, server, gitBranch="version-15")
    site.until_ready("frappebench", BENCH)
    site.until_ready("frappesite", SITE)
    assert running(site) == before


def test_another_version_reaches_the_site_in_its_turn(site: Namespace, server: Repositories) -> None:
    old = bundle(site)
    changed = {"hrms/public/js/hrms.bundle.js": "console.log('changed');\n"}
    server.commit("hrms", {**source("15.34.0"), **changed}, branch="version-15", tag="v15.34.0")
    declare(site, server, version="v15.34.0")
    site.until(lambda: answering(site)["version"] == "15.34.0", "the new layer to answer")
    site.until_ready("frappesite", SITE)
    site.until_ready("frappebench", BENCH)
    new = bundle(site)
    assert new != old
    assert [site.visitor(BENCH, HOST).get(path).status for path in (old, new)] == [200, 200]
    layers = site.get("fb", BENCH)["status"]["layers"]
    assert [(each["version"], each["current"]) for each in layers] == [("15.33.0", False), ("15.34.0", True)]
    assert site.condition("fs", SITE, "Upgraded")["status"] == "True"
    assert_login_is_nowhere(site)
