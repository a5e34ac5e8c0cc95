"""`layout`: the folders of one site in a pod."""

import json
import ssl
from pathlib import Path

import pytest

from fakecluster import certificates

from .pod import Pod

SITE = "shop.example.com"


def layout(pod: Pod, *more: str) -> tuple[str, ...]:
    return (
        "layout",
        f"--site={SITE}",
        f"--volume={pod.volume}",
        f"--view={pod.view}",
        f"--config={pod.config}",
        "--bench-id=tenant-shop",
        "--redis-cache-host=b-redis-cache",
        "--redis-queue-host=b-redis-queue.tenant.svc",
        *more,
    )


def tree(root: Path) -> dict[str, str]:
    """All paths below a folder, with their types."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else path.read_text()
        if path.is_file()
        else "/"
        for path in sorted(root.rglob("*"))
    }


def test_the_view_holds_one_site_and_what_every_site_needs(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    (pod.bench / "sites" / "apps.json").write_text("{}")
    ended = pod.run(*layout(pod))
    assert ended.code == 0, ended.output
    view = tree(pod.view)
    config = json.loads(view.pop("common_site_config.json"))
    assert view == {
        "apps.txt": "frappe\nerpnext\nhrms\n",
        "apps.json": "{}",
        "assets": str(pod.bench / "assets"),
        SITE: "/",
    }
    assert config == {
        "bench_id": "tenant-shop",
        "redis_cache": "redis://:redis%2Fp%40ss@b-redis-cache:6379/0",
        "redis_queue": "redis://:redis%2Fp%40ss@b-redis-queue.tenant.svc:6379/0",
        "redis_socketio": "redis://:redis%2Fp%40ss@b-redis-queue.tenant.svc:6379/0",
        "socketio_port": 9000,
    }
    assert (pod.view / "common_site_config.json").stat().st_mode & 0o777 == 0o640


def test_the_site_s_directory_is_made_for_its_user_alone(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    pod.run(*layout(pod))
    directory = pod.volume / SITE
    assert directory.stat().st_mode & 0o777 == 0o750
    for folder in ("public/files", "private/files", "private/backups", "locks", "logs"):
        assert (directory / folder).is_dir()


def test_the_bench_cli_takes_the_pod_s_bench_for_one(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    for _ in ("first", "again"):
        assert pod.run(*layout(pod)).code == 0
    assert tree(pod.config) == {"pids": "/"}


def test_what_a_site_has_is_kept(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    pod.run(*layout(pod))
    (pod.volume / SITE / "public" / "files" / "cat.png").write_text("meow")
    before = tree(pod.volume)
    assert pod.run(*layout(pod)).code == 0
    assert tree(pod.volume) == before


def test_a_pod_without_files_gets_a_view_all_the_same(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    arguments = [flag for flag in layout(pod) if not flag.startswith("--volume")]
    assert pod.run(*arguments).code == 0
    assert (pod.view / "apps.txt").exists()
    assert tree(pod.volume) == {}


def test_the_bench_s_own_settings_go_below_ours(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    ended = pod.run(*layout(pod, '--common-config={"bench_id": "stolen", "max_file_size": 7}'))
    config = json.loads((pod.view / "common_site_config.json").read_text())
    assert (config["bench_id"], config["max_file_size"]) == ("tenant-shop", 7)
    assert "commonSiteConfig cannot set bench_id" in ended.output


def test_apps_that_the_image_only_names_are_left_out(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    (pod.bench / "sites" / "apps.txt").write_text("gone\nhrms\nfrappe\n")
    pod.run(*layout(pod))
    assert (pod.view / "apps.txt").read_text() == "frappe\nhrms\n"


def test_an_older_image_s_assets_are_copied_with_their_links(pod: Pod) -> None:
    assets = pod.bench / "sites" / "assets"
    assets.mkdir()
    (assets / "assets.json").write_text("{}")
    (assets / "frappe").symlink_to(pod.bench / "apps" / "frappe" / "frappe")
    pod.run(*layout(pod))
    assert pod.run(*layout(pod)).code == 0
    assert tree(pod.view / "assets") == {"assets.json": "{}", "frappe": str(pod.bench / "apps" / "frappe" / "frappe")}


@pytest.mark.parametrize("assets", ["assets", "sites/assets"])
def test_killed_at_any_moment_it_ends_as_the_same_view(pod: Pod, assets: str) -> None:
    (pod.bench / assets).mkdir()
    (pod.bench / assets / "a.js").write_text("a")
    pod.killed_everywhere(*layout(pod))
    after = tree(pod.view)
    expected = {"apps.txt", "assets", "common_site_config.json", SITE}
    if assets == "sites/assets":
        expected.add("assets/a.js")
    # A file that was being written when its writer was killed may lie about; nobody reads what begins with a dot.
    assert {path for path in after if not path.startswith(".")} == expected


def test_a_link_in_place_of_the_site_s_directory_is_refused(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    (pod.root / "elsewhere").mkdir()
    (pod.volume / SITE).symlink_to(pod.root / "elsewhere")
    ended = pod.run(*layout(pod))
    assert (ended.code, ended.reason) == (64, "VolumeInvalid")
    assert tree(pod.root / "elsewhere") == {}


def test_apps_of_layers_are_listed_and_their_assets_are_among_those_of_the_image(pod: Pod) -> None:
    image = pod.bench / "assets"
    (image / "frappe").mkdir(parents=True)
    (image / "assets.json").write_text('{"desk.bundle.js": "/assets/frappe/desk.js"}')
    layer = pod.add_app("crm", "__version__ = '1.0.0'\n").parent
    (layer / ".frappe-operator" / "assets" / "crm").mkdir(parents=True)
    key = "00112233445566aa"
    (layer / ".frappe-operator" / "layer.json").write_text(json.dumps({"key": key}))
    (layer / ".frappe-operator" / "assets.json").write_text('{"crm.bundle.js": "/assets/crm/crm.js"}')
    ended = pod.run(*layout(pod), f"--layers={key}")
    assert ended.code == 0, ended.output
    assert (pod.view / "apps.txt").read_text().split() == ["frappe", "erpnext", "hrms", "crm"]
    assets = pod.view / "assets"
    assert {path.name for path in assets.iterdir()} == {"frappe", "crm", "assets.json"}
    assert (assets / "crm").resolve() == layer / ".frappe-operator" / "assets" / "crm"
    assert json.loads((assets / "assets.json").read_text()) == {
        "desk.bundle.js": "/assets/frappe/desk.js",
        "crm.bundle.js": "/assets/crm/crm.js",
    }
    assert pod.run(*layout(pod), f"--layers={key}").code == 0
    ended = pod.run(*layout(pod), "--layers=ffffffffffffffff")
    assert (ended.code, ended.reason) == (64, "LayerMissing")


def test_an_authority_of_the_site_is_trusted_beside_those_that_python_knows(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    authority = pod.volume.parent / "ca.crt"
    certificate = certificates.certificate("ca.example.com")[0]
    authority.write_text(certificate)
    ended = pod.run(*layout(pod, f"--authority={authority}", "--authority-key=0123"))
    assert ended.code == 0, ended.output
    trusted = (pod.config / "certificates.pem").read_text()
    assert trusted.endswith(certificate)
    assert trusted.count("BEGIN CERTIFICATE") > 1


@pytest.mark.parametrize(
    "text",
    [None, "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
)
def test_an_authority_that_cannot_be_trusted_takes_no_other_away(pod: Pod, text: str | None) -> None:
    (pod.bench / "assets").mkdir()
    authority = pod.volume.parent / "ca.crt"
    if text is not None:
        authority.write_text(text)
    ended = pod.run(*layout(pod, f"--authority={authority}"))
    assert ended.code == 0, ended.output
    trusted = ssl.create_default_context(cafile=str(pod.config / "certificates.pem"))
    assert trusted.cert_store_stats()["x509_ca"] > 1
    assert not text or text not in (pod.config / "certificates.pem").read_text()
