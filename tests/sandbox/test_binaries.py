"""Programs are taken where they are found at the pinned version, and built once where they are not."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest

from sandbox import binaries, toolchain
from sandbox.binaries import MODULES, Binaries, BuildError, Module, Program, module_files
from sandbox.progress import plain


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but a shell: no cache, no programs, and a Go that takes its time."""
    monkeypatch.setenv("FRAPPE_SANDBOX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    source = tmp_path / "module"
    source.mkdir()
    (source / "go.mod").write_text("module example\n")
    monkeypatch.setattr(Module, "source", source)
    monkeypatch.setattr(
        binaries, "MODULES", (Module("boats", {name: Program(name, "1.2.3") for name in ("oar", "sail")}),)
    )
    program(
        tmp_path / "go" / "go",
        'echo "$@" >>"$(dirname "$0")/asked"; sleep 0.3\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'case $3 in sinking) echo "boats/hull.go:7: leak" >&2; exit 1; esac\n'
        'echo one package >&2; echo "#!/bin/sh" >"$2"; chmod +x "$2"',
    )
    monkeypatch.setattr(toolchain, "go", lambda folder, progress: tmp_path / "go" / "go")
    return tmp_path


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def builds(machine: Path) -> list[str]:
    """The packages that Go was asked to build."""
    asked = machine / "go" / "asked"
    return [line.split()[-1] for line in asked.read_text().splitlines()] if asked.exists() else []


@pytest.mark.parametrize("script", ["echo oar v1.2.3", "echo version: v1.2.3 >&2"])
def test_a_program_of_the_pinned_version_is_taken_from_path(machine: Path, script: str):
    oar = program(machine / "bin" / "oar", script)
    assert Binaries.find(["oar"], plain()) == {"oar": oar}
    assert builds(machine) == []


@pytest.mark.parametrize(
    "script", ["echo oar v1.2.30", "echo oar 11.2.3", "echo oar v1.3.0", "exit 1", "echo 1.2.3; exit 1"]
)
def test_a_program_of_another_version_is_ignored(machine: Path, script: str):
    program(machine / "bin" / "oar", script)
    assert Binaries.find(["oar"], plain())["oar"].is_relative_to(machine / "cache")


def test_the_assets_folder_goes_before_path(machine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "assets"))
    program(machine / "bin" / "oar", "echo 1.2.3")
    own = program(machine / "assets" / "oar", "echo 1.2.3")
    assert Binaries.find(["oar"], plain())["oar"] == own
    program(own, "echo 1.2.4")
    assert Binaries.find(["oar"], plain())["oar"] == machine / "bin" / "oar"


def test_only_what_is_asked_for_is_built_and_only_once(machine: Path):
    Binaries.find(["oar"], plain())
    assert builds(machine) == ["oar"]
    Binaries.find(["sail", "oar"], plain())
    assert builds(machine) == ["oar", "sail"]


def test_two_at_once_build_once(machine: Path):
    def find(_: int) -> Path:
        return Binaries.find(["oar"], plain())["oar"]

    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(find, range(3)))
    assert len(found) == 1
    assert builds(machine) == ["oar"]


def test_what_would_be_built_differently_is_built_again(machine: Path):
    first = Binaries.find(["oar"], plain())["oar"]
    (machine / "module" / "go.sum").write_text("example v2 h1:=\n")
    second = Binaries.find(["oar"], plain())["oar"]
    assert first != second
    assert builds(machine) == ["oar", "oar"]


def test_a_build_that_fails_says_what_the_compiler_said_and_leaves_nothing_to_be_found(
    machine: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(binaries, "MODULES", (Module("boats", {"oar": Program("sinking", "1.2.3")}),))
    for _ in range(2):
        with pytest.raises(BuildError, match=r"hull.go:7: leak"):
            Binaries.find(["oar"], plain())
    assert builds(machine) == ["sinking", "sinking"]


def test_a_long_build_is_heard_of(machine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binaries, "_SPEAK_EVERY", 0.0)
    said = StringIO()
    Binaries.find(["oar"], plain(said))
    assert "oar: 1 packages" in said.getvalue()
    assert "one package" in said.getvalue()


def test_files_of_a_module_are_copied_once(machine: Path, monkeypatch: pytest.MonkeyPatch):
    downloaded = machine / "downloaded"
    program(downloaded / "deploy" / "kinds.yaml", "")
    (downloaded / "deploy" / "kinds.yaml").chmod(0o444)
    go = program(machine / "bin" / "go", f"""echo '{{"Dir": "{downloaded}"}}'""")
    monkeypatch.setattr(toolchain, "go", lambda folder, progress: go)
    (copy,) = module_files(binaries.MODULES[0], "example.com/boats", ["deploy/kinds.yaml"], plain())
    assert copy.read_bytes() == (downloaded / "deploy" / "kinds.yaml").read_bytes()
    go.unlink()
    assert module_files(binaries.MODULES[0], "example.com/boats", ["deploy/kinds.yaml"], plain()) == [copy]


def test_files_of_a_module_that_cannot_be_downloaded_are_missed_in_gos_words(
    machine: Path, monkeypatch: pytest.MonkeyPatch
):
    go = program(machine / "bin" / "go", """echo '{"Error": "no such boat"}'; exit 1""")
    monkeypatch.setattr(toolchain, "go", lambda folder, progress: go)
    with pytest.raises(BuildError, match=r"example.com/boats cannot be downloaded: no such boat"):
        module_files(binaries.MODULES[0], "example.com/boats", ["deploy/kinds.yaml"], plain())


def test_every_program_is_one_its_module_pins():
    for module in MODULES:
        pinned = (Path(binaries.__file__).parent / "go" / module.name / "go.mod").read_text()
        for found in module.programs.values():
            repository = found.package.removesuffix("/v3").split("/cmd/")[0]
            if repository != "frappe-operator/sandbox/coredns":
                assert any(repository in line and found.version in line for line in pinned.splitlines()), found


@pytest.mark.parametrize(
    ("said", "usable"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.27 linux/amd64", True),
        ("go version go1.19.8 linux/amd64", False),
        ("go version go1.26.5 linux/amd64", False),
        ("no such thing", False),
    ],
)
def test_a_go_that_is_too_old_is_not_used(machine: Path, said: str, usable: bool):
    program(machine / "bin" / "go", f"echo '{said}'")
    toolchain._own.cache_clear()
    try:
        assert (toolchain._own() is not None) == usable
    finally:
        toolchain._own.cache_clear()
