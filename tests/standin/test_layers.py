"""An app that the image lacks: built from a git server on this machine with git and pip of the image, and installed
on a site whose pods mount it."""

import json
import os
import shutil
from collections.abc import Iterator

import pytest

from tests.repositories import Repositories, repositories, wheel
from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import BENCH, FRAPPE
from tests.standin.test_with_the_runner import SITE, Pod, a_pod

KEY = "00112233445566aa"
TIDE = {
    "tide/__init__.py": "__version__ = '2.1.0'\n",
    "tide/hooks.py": """\
import nautical
app_name = "tide"
required_apps = ["erpnext"]
modules = ["Tide"]
doctypes = {"Tide Gauge": "`station` varchar(140)"}
documents = [("Tide Gauge", {"name": nautical.version, "station": "Pier"})]
""",
    "tide/public/images/gauge.svg": "<svg/>",
    "pyproject.toml": """\
[project]
name = "tide"
dependencies = ["nautical>=1", "redis>=4"]
[tool.bench.frappe-dependencies]
frappe = ">=15.0.0,<16.0.0"
""",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repositories]:
    with repositories(tmp_path_factory.mktemp("git")) as offered:
        offered.commit("tide", TIDE, tag="v2.1.0")
        yield offered


@pytest.fixture
def builder(bench: Bench, server: Repositories) -> Pod:
    """A pod with a folder for the app beside the apps of the image, and a folder of wheels for pip."""
    pod = a_pod(bench)
    inside = bench.rootfs.inside
    (inside(bench.view) / "apps").unlink()
    apps = bench.rootfs.folder(f"{bench.view}/apps")
    for app in ("frappe", "erpnext", "hrms"):
        (apps / app).symlink_to(f"{BENCH}/apps/{app}")
    for folder in ("apps/tide", "layers", "secrets/git", "wheels"):
        bench.rootfs.folder(f"{bench.view}/{folder}")
    # As the kubelet makes an emptyDir: root's, and open to the group of the pod.
    tide = inside(bench.view) / "apps/tide"
    os.chown(tide, 0, FRAPPE)
    tide.chmod(0o2777)
    (inside(bench.view) / "secrets/git/ca.crt").write_text(server.ca)
    wheel(inside(bench.view) / "wheels", "nautical", "1.4")
    return pod


def build(pod: Pod, server: Repositories) -> dict[str, object]:
    layers = f"{pod.bench.view}/layers"
    words = [f"--key={KEY}", f"--url={server.url('tide')}", "--version=v2.1.0", f"--layers={layers}"]
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{pod.bench.view}/wheels"}
    done = pod.run("build-app", "--app=tide", *words, env=index)
    assert done.returncode == 0, done.stdout + done.stderr
    return pod.report()


def mounted(pod: Pod) -> dict[str, str]:
    """Puts the layer where pods mount it, as the kubelet does; returns the environment of the containers."""
    app = pod.bench.rootfs.inside(f"{pod.bench.view}/apps/tide")
    shutil.rmtree(app)
    app.symlink_to(f"{pod.bench.view}/layers/{KEY}")
    folder = f"{pod.bench.view}/apps/tide"
    return {"PYTHONPATH": f"{folder}:{folder}/.frappe-operator/packages"}


def test_the_image_builds_a_layer_and_a_site_runs_the_app_in_it(builder: Pod, server: Repositories) -> None:
    layer = build(builder, server)["layer"]
    assert isinstance(layer, dict)
    assert (layer["app"], layer["version"], layer["ref"]) == ("tide", "2.1.0", "v2.1.0")
    bench = builder.bench
    assert bench.rootfs.inside(f"{bench.view}/layers/{KEY}").stat().st_mode & 0o7777 == 0o755
    environment = mounted(builder)
    layout = [f"--view={bench.sites}", f"--config={bench.view}/config", "--bench-id=tide", f"--layers={KEY}"]
    redis = ["--redis-cache-host=127.0.0.1", "--redis-queue-host=127.0.0.1"]
    secret = bench.rootfs.folder(f"{bench.view}/secrets/redis")
    (secret / "password").write_text("unused")
    common = bench.rootfs.inside(f"{bench.sites}/common_site_config.json").read_text()
    done = builder.run("layout", f"--site={SITE}", *layout, *redis)
    assert done.returncode == 0, done.stdout + done.stderr
    sites = bench.rootfs.inside(bench.sites)
    # The Redis of the tests has no password, and listens on another port.
    (sites / "common_site_config.json").write_text(common)
    assert (sites / "apps.txt").read_text().split() == ["frappe", "erpnext", "hrms", "tide"]
    names = json.loads((sites / "assets/assets.json").read_text())
    assert names
    assert builder.create(env=environment).returncode == 0
    done = builder.run("install-apps", f"--site={SITE}", "--apps=frappe,tide", env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert builder.report()["apps"] == {"frappe": "15.51.1", "erpnext": "15.49.2", "tide": "2.1.0"}
    rows = bench.root_sql("SELECT name, station FROM `tabTide Gauge`", database=builder.database)
    assert rows == [["1.4", "Pier"]]
    done = bench.command("list-apps", site=SITE, env=environment)
    assert "tide" in done.stdout


def test_without_its_layer_the_app_is_unknown(builder: Pod) -> None:
    assert builder.create().returncode == 0
    done = builder.run("install-apps", f"--site={SITE}", "--apps=frappe,tide")
    assert done.returncode == 64
    assert builder.report()["reason"] == "AppNotInImage"
