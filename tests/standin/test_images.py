"""The tar of images: whole, named, the same again when nothing changed, and Debian's mirror as this machine has it."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from sandbox import debian, images, standin_bench
from sandbox.progress import plain
from tests.standin.rootfs import Rootfs


@pytest.fixture(scope="module")
def contents(layout: Path) -> dict[str, bytes]:
    """The small files of the layout by path."""
    with tarfile.open(layout) as tar:
        small = [member for member in tar if member.size < 1 << 20]
        return {member.name: tar.extractfile(member).read() for member in small}  # type: ignore[union-attr]


def test_every_blob_is_what_its_name_says(layout: Path):
    with tarfile.open(layout) as tar:
        for member in tar:
            if member.name.startswith("blobs/"):
                content = tar.extractfile(member)
                assert content is not None
                digest = hashlib.sha256()
                while chunk := content.read(1 << 20):
                    digest.update(chunk)
                assert digest.hexdigest() == member.name.rpartition("/")[2]


def test_the_layout_names_what_the_operator_asks_for(contents: dict[str, bytes]):
    index = json.loads(contents["index.json"])
    names = {one["annotations"]["io.containerd.image.name"] for one in index["manifests"]}
    assert {
        "docker.io/frappe/erpnext:version-15",
        "docker.io/frappe/erpnext:version-15-b",
        "docker.io/frappe/erpnext:version-15-c",
        "docker.io/frappe/erpnext:version-15-patch-fails",
        "docker.io/frappe/erpnext:version-15-patch-hangs",
        "docker.io/frappe/erpnext:version-15-without-hrms",
        "docker.io/library/mariadb:10.11",
        "docker.io/library/redis:7.2",
        "docker.io/nginxinc/nginx-unprivileged:1.27",
        "localhost/pause:1",
    } <= names


def test_two_versions_share_all_but_their_last_layer(contents: dict[str, bytes]):
    index = json.loads(contents["index.json"])
    layers = {}
    for one in index["manifests"]:
        manifest = json.loads(contents[f"blobs/{one['digest'].replace(':', '/')}"])
        layers[one["annotations"]["io.containerd.image.name"]] = [layer["digest"] for layer in manifest["layers"]]
    first, second = layers["docker.io/frappe/erpnext:version-15"], layers["docker.io/frappe/erpnext:version-15-b"]
    assert (first[:-1], first[-1] == second[-1]) == (second[:-1], False)


def test_a_later_release_has_other_assets_and_one_patch_more(tmp_path: Path):
    built = {}
    for version in ("15.51.1", "15.52.0"):
        bench = tmp_path / version
        shutil.copytree(images.STANDIN / "bench", bench)
        standin_bench.furnish(bench, f"/{images.BENCH}", version, "")
        patches = {path.name for path in (bench / "apps/frappe/frappe/patches").iterdir()}
        assets = json.loads((bench / "assets/assets.json").read_text())
        built[version] = (patches, assets)
    (patches, assets), (later_patches, later_assets) = built.values()
    assert later_patches - patches == {"v15_52_note_has_a_colour.sql"}
    assert patches < later_patches
    assert assets.keys() == later_assets.keys()
    assert not set(assets.values()) & set(later_assets.values())


def test_patches_on_request_come_last_and_only_then(tmp_path: Path):
    for patches in ((), ("fails",)):
        bench = tmp_path / f"bench-{len(patches)}"
        shutil.copytree(images.STANDIN / "bench", bench)
        standin_bench.furnish(bench, f"/{images.BENCH}", "15.53.0", "", patches)
        listed = (bench / "apps/frappe/frappe/patches.txt").read_text().split()
        always = ["frappe.patches.v15_50_note_is_public", "frappe.patches.v15_52_note_has_a_colour"]
        assert listed == [*always, *(f"frappe.patches.on_request_{name}" for name in patches)]


def test_built_again_it_is_the_same_file(layout: Path):
    before = layout.stat().st_ino
    assert images.build(plain()) == [layout]
    assert layout.stat().st_ino == before


def test_the_official_image_is_asked_for_by_its_name():
    asked = []

    def refused(name: str) -> bool:
        asked.append(name)
        return False

    assert not images.official_available(refused)
    assert asked == ["docker.io/frappe/erpnext:version-15"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "sources.list",
            "# deb http://old.test/debian bookworm main\ndeb [arch=amd64] http://near.test/debian bookworm main\n",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://near.test/debian\nSuites: bookworm\nComponents: main\n",
        ),
    ],
)
def test_the_mirror_is_the_one_apt_uses(tmp_path: Path, file: str, text: str):
    other = "deb http://elsewhere.test/tools tools-bookworm main\n"
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    (tmp_path / "apt/sources.list.d/a.list").write_text(other)
    assert debian.mirror(tmp_path) is None
    (tmp_path / "apt" / file).write_text(text)
    assert debian.mirror(tmp_path) == "http://near.test/debian"


def test_programs_run_as_their_users_and_none_can_change_its_user(rootfs: Rootfs):
    owners = {path: rootfs.inside(path).stat().st_uid for path in ("/home/frappe/frappe-bench/sites", "/data")}
    assert owners == {"/home/frappe/frappe-bench/sites": 1000, "/data": 999}
    assert rootfs.run(["find", "/usr", "-perm", "/6000", "-type", "f"], user=0).stdout == ""
