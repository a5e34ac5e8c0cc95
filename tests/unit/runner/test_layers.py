"""Building a layer from a real git server and a folder of wheels, and what goes wrong."""

import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repositories import Repositories, repositories, wheel
from tests.unit.runner.pod import Ended, Pod

KEY = "00112233445566aa"
APP = {
    "crm/__init__.py": "__version__ = '1.2.3'\n",
    "crm/hooks.py": "app_name = 'crm'\nrequired_apps = ['frappe/erpnext']\n",
    "crm/public/images/logo.svg": "<svg/>",
    "pyproject.toml": """\
[project]
name = "crm"
requires-python = ">=3.10"
dependencies = ["frappe", "packaging>=1", "nautical~=1.0", "ghost; python_version < '3'"]

[tool.bench.frappe-dependencies]
frappe = ">=15.0.0-dev,<16.0.0"
erpnext = ">=15.0.0,<16.0.0"
""",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repositories]:
    with repositories(tmp_path_factory.mktemp("git")) as offered:
        offered.commit("crm", APP, branch="version-15", tag="v1.2.3")
        yield offered


@pytest.fixture
def builder(pod: Pod, server: Repositories) -> Iterator[Pod]:
    """The pod of the Job: an empty folder is mounted at the place of the app, and one for the layers."""
    (pod.bench / "apps" / "crm").mkdir()
    (pod.common / "layers").mkdir()
    pod.secret("git", **{"ca.crt": server.ca})
    wheel(pod.root / "wheels", "nautical", "1.4", ("sextant",))
    wheel(pod.root / "wheels", "sextant", "2.0")
    pod.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(pod.root / "wheels")}
    yield pod
    server.login = None


def build(pod: Pod, server: Repositories, *more: str, kill_at: int = 0, name: str = "crm", key: str = KEY) -> Ended:
    words = [f"--app={name}", f"--key={key}", f"--url={server.url(name)}", f"--layers={pod.common / 'layers'}"]
    ref = [] if any(each.startswith(("--branch", "--version")) for each in more) else ["--branch=version-15"]
    return pod.run("build-app", *words, *ref, *more, kill_at=kill_at)


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_a_layer_contains_source_packages_that_the_image_lacks_and_assets(builder: Pod, server: Repositories) -> None:
    ended = build(builder, server)
    assert ended.code == 0, ended.output
    layer = builder.common / "layers" / KEY
    found = {path for path in contents(layer) if "__pycache__" not in path and "dist-info" not in path}
    assert found == {
        *APP,
        ".frappe-operator/assets/crm",
        ".frappe-operator/layer.json",
        ".frappe-operator/packages/nautical/__init__.py",
        ".frappe-operator/packages/sextant/__init__.py",
    }
    assert (layer / ".frappe-operator/assets/crm/images/logo.svg").read_text() == "<svg/>"
    assert (layer / f"crm/__pycache__/hooks.{sys.implementation.cache_tag}.pyc").exists()
    record = ended.report["layer"]
    assert (record["app"], record["key"], record["version"], record["ref"]) == ("crm", KEY, "1.2.3", "version-15")
    assert len(record["commit"]) == 40
    assert record["size"] > 500
    for path in [layer, *layer.rglob("*")]:
        if not path.is_symlink():
            assert path.stat().st_mode & 0o044 == 0o044, path


def test_a_second_run_finds_the_layer_and_fetches_nothing(builder: Pod, server: Repositories) -> None:
    first = build(builder, server).report
    before = len(server.requests)
    ended = build(builder, server)
    assert ended.report == first
    assert len(server.requests) == before


def test_a_layer_that_was_changed_is_built_again(builder: Pod, server: Repositories) -> None:
    build(builder, server)
    hooks = builder.common / "layers" / KEY / "crm" / "hooks.py"
    hooks.write_text("app_name = 'evil'\n")
    assert build(builder, server).code == 0
    assert hooks.read_text() == APP["crm/hooks.py"]


@pytest.mark.parametrize("ref", ["--branch=version-15", "--version=v1.2.3", "--version=version-15", "--version=COMMIT"])
def test_branches_tags_and_commits_can_be_fetched(builder: Pod, server: Repositories, ref: str) -> None:
    commit = build(builder, server).report["layer"]["commit"]
    ended = build(builder, server, ref.replace("COMMIT", commit), key="aaaaaaaaaaaaaaaa")
    assert ended.code == 0, ended.output
    assert ended.report["layer"]["commit"] == commit


def test_without_a_branch_the_default_one_of_the_repository_is_fetched(builder: Pod, server: Repositories) -> None:
    commit = server.commit("drive", {"drive/__init__.py": "", "drive/hooks.py": ""})
    (builder.bench / "apps" / "drive").mkdir()
    ended = build(builder, server, "--branch=", name="drive")
    assert ended.code == 0, ended.output
    assert ended.report["layer"]["commit"] == commit
    assert ended.report["layer"]["ref"] == "HEAD"


def test_a_private_repository_needs_the_login_of_the_secret_which_is_shown_nowhere(
    builder: Pod, server: Repositories
) -> None:
    server.login = ("x-access-token", "canary-token-1")
    ended = build(builder, server)
    assert (ended.code, ended.reason) == (64, "GitRefused")
    builder.secret("git", token="canary-token-1\n")
    ended = build(builder, server)
    assert ended.code == 0, ended.output
    builder.secret("git", username="deploy", password="canary-password-2")
    assert build(builder, server, key="aaaaaaaaaaaaaaaa").reason == "GitRefused"
    server.login = ("deploy", "canary-password-2")
    assert build(builder, server, key="aaaaaaaaaaaaaaaa").code == 0
    assert not list(Path("/dev/shm").glob(f"git-{os.getpid()}*"))


def test_killed_while_it_is_published_there_is_all_of_it_or_nothing(builder: Pod, server: Repositories) -> None:
    server.commit("crm", {"crm/__init__.py": "", "crm/hooks.py": ""}, branch="trouble")
    layer = builder.common / "layers" / KEY
    steps = 0
    while build(builder, server, "--branch=trouble", kill_at=(steps := steps + 5)).code != 0:
        assert steps < 500
    for step in range(max(1, steps - 20), steps):
        key = f"{step:016x}"
        build(builder, server, "--branch=trouble", kill_at=step, key=key)
        if (layer.parent / key).exists():
            assert (layer.parent / key / ".frappe-operator/layer.json").exists()
            assert (layer.parent / key / "crm/hooks.py").exists()
        assert build(builder, server, "--branch=trouble", key=key).code == 0
        assert not list(layer.parent.glob(f".making-{key}-*"))


def test_only_the_layers_that_are_named_stay(builder: Pod, server: Repositories) -> None:
    old, other = "a" * 16, "b" * 16
    build(builder, server, key=old)
    build(builder, server, key=other)
    folder = builder.common / "layers"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {old, other}
    assert builder.run("remove-layers", f"--layers={folder}", f"--keep={KEY},{other}").code == 0
    assert {path.name for path in folder.iterdir()} == {other, f".lock-{other}"}


def with_changes(server: Repositories, **files: str) -> None:
    named = {path.replace("__slash__", "/").replace("__dot__", "."): text for path, text in files.items()}
    server.commit("crm", {**APP, **named}, branch="trouble")


TROUBLE = [
    ({"crm/hooks.py": "app_name = 'crm'\nrequired_apps = ['payments']\n"}, 64, "AppRequired", "needs the app payments"),
    (
        {"pyproject.toml": APP["pyproject.toml"].replace("<16.0.0", "<17").replace(">=15", ">=16")},
        64,
        "VersionNotSupported",
        "needs frappe >=16.0.0-dev,<17, but the image has frappe 15.51.1",
    ),
    (
        {"pyproject.toml": '[project]\nrequires-python = ">=3.99"'},
        64,
        "VersionNotSupported",
        f"needs Python >=3.99, but the image has {platform.python_version()}",
    ),
    (
        {"pyproject.toml": '[project]\ndependencies = ["unheard-of"]'},
        64,
        "DependencyUnavailable",
        "No matching distribution found for unheard-of",
    ),
    (
        {"pyproject.toml": '[project]\ndependencies = ["packaging<1"]'},
        64,
        "DependencyUnavailable",
        "packaging<1 cannot be installed beside the packages of the image",
    ),
    (
        {"pyproject.toml": '[project]\ndependencies = ["x @ git+https://example.com/x"]'},
        64,
        "DependencyUnavailable",
        "the dependency x comes from a URL",
    ),
    ({"pyproject.toml": "[project"}, 64, "AppInvalid", "pyproject.toml is not valid"),
    ({"crm/hooks.py": "app_name = 'other'\n"}, 64, "AppInvalid", "the app calls itself other"),
]


@pytest.mark.parametrize(("files", "code", "reason", "words"), TROUBLE, ids=[each[3][:30] for each in TROUBLE])
def test_an_app_that_does_not_fit_is_refused_in_words(
    builder: Pod, server: Repositories, files: dict[str, str], code: int, reason: str, words: str
) -> None:
    server.commit("crm", {**APP, **files}, branch="trouble")
    ended = build(builder, server, "--branch=trouble")
    assert (ended.code, ended.reason) == (code, reason), ended.output
    assert words in ended.message
    assert ended.message.startswith("crm, ")
    assert not (builder.common / "layers" / KEY).exists()


def test_a_repository_with_another_app_says_which(builder: Pod, server: Repositories) -> None:
    server.commit("wiki", {"wikipages/__init__.py": "", "wikipages/hooks.py": ""}, branch="version-15")
    (builder.bench / "apps" / "wiki").mkdir()
    ended = build(builder, server, name="wiki")
    assert ended.reason == "AppInvalid"
    assert "contains no app wiki (wiki/hooks.py), but the app wikipages" in ended.message


def test_a_required_app_may_be_in_another_layer(builder: Pod, server: Repositories) -> None:
    server.commit("crm", {**APP, "crm/hooks.py": "required_apps = ['payments']\n"}, branch="trouble")
    assert build(builder, server, "--branch=trouble", "--others=payments,crm").code == 0


def test_a_branch_that_does_not_exist_is_reported_with_those_that_do(builder: Pod, server: Repositories) -> None:
    ended = build(builder, server, "--branch=version-99")
    assert (ended.code, ended.reason) == (64, "GitRefNotFound")
    assert "has no branch version-99; its branches are version-15" in ended.message
    ended = build(builder, server, "--version=v9.9.9")
    assert "has no tag or branch v9.9.9" in ended.message


def test_a_repository_that_does_not_exist_and_a_server_that_is_not_trusted_are_refused(
    builder: Pod, server: Repositories
) -> None:
    (builder.bench / "apps" / "nothing").mkdir()
    ended = build(builder, server, name="nothing")
    assert (ended.code, ended.reason) == (64, "GitRefused"), ended.output
    (builder.root / "secrets" / "git" / "ca.crt").unlink()
    (builder.root / "secrets" / "git").rmdir()
    ended = build(builder, server)
    assert (ended.code, ended.reason) == (64, "GitRefused"), ended.output
    assert "certificate" in ended.message


def test_without_a_network_it_is_retried(builder: Pod, server: Repositories) -> None:
    ended = builder.run(
        "build-app",
        "--app=crm",
        f"--key={KEY}",
        "--url=https://git.invalid/crm",
        f"--layers={builder.common / 'layers'}",
    )
    assert (ended.code, ended.reason) == (1, "GitUnreachable")
    assert "https://git.invalid/crm cannot be reached" in ended.message
    del builder.environment["PIP_NO_INDEX"], builder.environment["PIP_FIND_LINKS"]
    builder.environment["PIP_INDEX_URL"] = "https://index.invalid/simple"
    ended = build(builder, server)
    assert (ended.code, ended.reason) == (1, "IndexUnreachable")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/crm",
        "ext::sh -c touch% /tmp/x",
        "file:///etc",
        "--upload-pack=touch",
        "https://user:canary@example.com/crm",
        "ssh://-oProxyCommand=touch/crm",
        "git@example.com:crm",
    ],
)
def test_a_url_of_another_scheme_or_with_a_password_is_refused(builder: Pod, url: str) -> None:
    words = ["build-app", "--app=crm", f"--key={KEY}", f"--layers={builder.common / 'layers'}"]
    if "canary" in url:
        url = url.replace("canary", "word")
    assert builder.run(*words, f"--url={url}").reason == "InvalidArguments"


def test_links_out_of_the_repository_and_what_only_the_operator_writes_are_left_out(
    builder: Pod, server: Repositories
) -> None:
    files = {
        "crm/public/passwd": "-> /etc/passwd",
        "crm/public/up": "-> ../../../../secrets",
        "crm/public/inside": "-> images",
        ".frappe-operator/packages/json.py": "raise SystemExit",
    }
    server.commit("crm", {**APP, **files}, branch="trouble")
    ended = build(builder, server, "--branch=trouble")
    assert ended.code == 0, ended.output
    layer = builder.common / "layers" / KEY
    assert (layer / "crm/public/inside/logo.svg").exists()
    assert not os.path.lexists(layer / "crm/public/passwd")
    assert not os.path.lexists(layer / "crm/public/up")
    assert not (layer / ".frappe-operator/packages/json.py").exists()


def test_an_option_in_requirements_txt_is_not_one_of_pip(builder: Pod, server: Repositories) -> None:
    files = {path: text for path, text in APP.items() if path != "pyproject.toml"}
    text = "# comment\n--index-url https://evil.invalid\n-e .\nnautical>=1 # why\n"
    server.commit("crm", {**files, "requirements.txt": text}, branch="trouble")
    ended = build(builder, server, "--branch=trouble")
    assert ended.code == 0, ended.output
    assert (builder.common / "layers" / KEY / ".frappe-operator/packages/nautical").is_dir()


BUNDLER = """\
const fs = require("fs"), path = require("path");
const app = process.argv[process.argv.indexOf("--apps") + 1];
if (!process.env.FRAPPE_DOCKER_BUILD || !process.argv.includes("--production")) process.exit(3);
const sites = process.env.BENCH + "/sites", from = `${sites}/assets/${app}`;
const out = {};
for (const name of fs.readdirSync(from + "/js")) {
  if (fs.readFileSync(`${from}/js/${name}`, "utf8").includes("syntax error")) {
    console.error("Expected ; but found error"); process.exit(1);
  }
  fs.mkdirSync(from + "/dist/js", { recursive: true });
  const built = name.replace(/js$/, "ABCDEFGH.js");
  fs.copyFileSync(`${from}/js/${name}`, `${from}/dist/js/${built}`);
  out[name] = `/assets/${app}/dist/js/${built}`;
}
out["desk.bundle.js"] = "/assets/frappe/dist/js/desk.js";
fs.writeFileSync(sites + "/assets/assets.json", JSON.stringify(out));
"""


def test_bundles_are_built_with_the_bundler_of_the_image(builder: Pod, server: Repositories) -> None:
    bundle = {**APP, "crm/public/js/crm.bundle.js": "crm();"}
    server.commit("crm", bundle, branch="trouble")
    ended = build(builder, server, "--branch=trouble")
    assert "the image contains no esbuild" in ended.report["layer"]["note"]
    frappe = builder.bench / "apps" / "frappe"
    (frappe / "node_modules").mkdir()
    (frappe / "esbuild").mkdir()
    (frappe / "esbuild" / "index.js").write_text(BUNDLER)
    ended = build(builder, server, "--branch=trouble", key="aaaaaaaaaaaaaaaa")
    assert ended.code == 0, ended.output
    assert ended.report["layer"]["note"] == ""
    ours = builder.common / "layers" / "aaaaaaaaaaaaaaaa" / ".frappe-operator"
    assert json.loads((ours / "assets.json").read_text()) == {
        "crm.bundle.js": "/assets/crm/dist/js/crm.bundle.ABCDEFGH.js"
    }
    assert (ours / "assets/crm/dist/js/crm.bundle.ABCDEFGH.js").read_text() == "crm();"
    server.commit("crm", {**APP, "crm/public/js/crm.bundle.js": "syntax error"}, branch="trouble")
    ended = build(builder, server, "--branch=trouble", key="bbbbbbbbbbbbbbbb")
    assert (ended.code, ended.reason) == (64, "AssetsFailed")
    assert "Expected ; but found error" in ended.message
