"""`inspect-image`: the apps of an image, and its published assets."""

from pathlib import Path

import pytest

from .pod import Pod
from .test_layout import tree


@pytest.fixture
def built(pod: Pod) -> Pod:
    """Assets as in real images: links into the apps, where links lead to node_modules."""
    public = pod.bench / "apps" / "frappe" / "frappe" / "public"
    (public / "dist" / "js").mkdir(parents=True)
    (public / "dist" / "js" / "desk.bundle.ABC.js").write_text("desk")
    modules = pod.bench / "apps" / "frappe" / "node_modules"
    modules.mkdir()
    (modules / "huge.js").write_text("huge")
    (public / "node_modules").symlink_to(modules)
    assets = pod.bench / "assets"
    assets.mkdir()
    (assets / "frappe").symlink_to(public)
    (assets / "assets.json").write_text("{}")
    return pod


def inspect(pod: Pod, *more: str, key: str = "aaaa") -> tuple[str, ...]:
    return ("inspect-image", f"--image-key={key}", f"--common={pod.common}", *more)


def published(pod: Pod, key: str = "aaaa") -> dict[str, str]:
    return {path: what for path, what in tree(pod.common / "assets" / key).items() if what != "/"}


WHOLE = {".published": "", "assets.json": "{}", "frappe/dist/js/desk.bundle.ABC.js": "desk"}


def test_versions_are_read_without_running_the_apps(built: Pod) -> None:
    built.add_app("erpnext", "import nowhere\n__version__: str = '15.60.0'\nraise SystemExit\n")
    built.add_app("hrms", "from somewhere import __version__\n")
    ended = built.run(*inspect(built, "--want-apps=frappe,lending,erpnext"))
    assert ended.code == 0, ended.output
    assert ended.report["frappeVersion"] == "15.51.1"
    assert ended.report["apps"] == {"frappe": "15.51.1", "erpnext": "15.60.0", "hrms": ""}
    assert ended.report["missing"] == ["lending"]
    assert ended.report["python"].startswith("3.")


def test_assets_are_published_whole_without_links_and_node_modules(built: Pod) -> None:
    ended = built.run(*inspect(built))
    assert published(built) == WHOLE
    assert ended.report["assets"] == sum(map(len, WHOLE.values()))
    everything = (built.common / "assets").rglob("*")
    assert not any(path.is_symlink() for path in everything)
    assert (built.common / "assets" / "aaaa").stat().st_mode & 0o777 == 0o755
    assert (built.common / "assets" / "aaaa" / "assets.json").stat().st_mode & 0o777 == 0o644


def test_what_is_published_stays_as_it_is(built: Pod) -> None:
    built.run(*inspect(built))
    (built.bench / "assets" / "assets.json").write_text("changed")
    ended = built.run(*inspect(built))
    assert "already published" in ended.output
    assert published(built) == WHOLE


def test_only_the_images_that_are_named_keep_theirs(built: Pod) -> None:
    for key in ("one", "two", "three"):
        built.run(*inspect(built, "--keep=one,two", key=key))
    assert {path.name for path in (built.common / "assets").iterdir()} == {"one", "two", "three", ".lock"}
    built.run(*inspect(built, "--keep=two", key="three"))
    assert {path.name for path in (built.common / "assets").iterdir()} == {"two", "three", ".lock"}


def test_killed_at_any_moment_there_is_all_of_it_or_nothing(built: Pod) -> None:
    dead = 0
    while True:
        dead += 1
        ended = built.run(*inspect(built), kill_at=dead)
        if (built.common / "assets" / "aaaa").exists():
            assert published(built) == WHOLE
        if ended.code == 0:
            break
    assert dead > 10
    assert {path.name for path in (built.common / "assets").iterdir()} == {"aaaa", ".lock"}


def test_killed_while_an_image_is_removed_its_assets_are_whole_when_it_comes_back(built: Pod) -> None:
    assert built.run(*inspect(built)).code == 0
    dead = 0
    while built.run(*inspect(built, key="bbbb"), kill_at=(dead := dead + 1)).code != 0:
        assert built.run(*inspect(built, "--keep=bbbb")).code == 0
        assert published(built) == WHOLE
    assert dead > 5


def test_links_out_of_the_bench_are_not_followed(built: Pod) -> None:
    outside = built.root / "secrets" / "redis"
    (built.bench / "assets" / "stolen").symlink_to(outside)
    (built.bench / "assets" / "passwd").symlink_to("/etc/passwd")
    (built.bench / "assets" / "config").symlink_to(built.bench / "sites" / "apps.txt")
    (built.bench / "assets" / "up").symlink_to("..")
    ended = built.run(*inspect(built))
    assert ended.code == 0
    assert published(built) == WHOLE
    assert "Not published" in ended.output


def test_links_in_a_circle_and_into_nowhere_are_passed_over(built: Pod) -> None:
    (built.bench / "assets" / "assets").symlink_to(built.bench / "assets")
    (built.bench / "assets" / "gone").symlink_to(built.bench / "assets" / "nowhere")
    (built.bench / "apps" / "frappe" / "frappe" / "public" / "dist" / "back").symlink_to("..")
    assert built.run(*inspect(built)).code == 0
    assert published(built) == WHOLE


@pytest.mark.parametrize("version", ["14.89.1", "13", "unknown"])
def test_a_frappe_that_cannot_be_run_is_refused(built: Pod, version: str) -> None:
    built.add_app("frappe", f"__version__ = '{version}'\n")
    ended = built.run(*inspect(built))
    assert (ended.code, ended.reason) == (64, "VersionNotSupported")


def test_an_image_without_frappe_is_refused(pod: Pod) -> None:
    (pod.bench / "apps" / "frappe" / "frappe" / "__init__.py").unlink()
    ended = pod.run(*inspect(pod))
    assert (ended.code, ended.reason) == (64, "ImageInvalid")


@pytest.mark.parametrize("key", ["../escape", ".hidden", "a/b", "", "A" * 80])
def test_a_key_is_a_plain_name(pod: Pod, key: str) -> None:
    assert pod.run(*inspect(pod, key=key)).reason == "InvalidArguments"
    assert list(Path(pod.common).iterdir()) == []
