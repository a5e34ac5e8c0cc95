"""Help, output and errors of the commands."""

import os
import subprocess
import sys

import pytest
import yaml

import frappe_operator
from frappe_operator.api import crd
from frappe_operator.cli.commands import app
from tests.unit.cli.conftest import Run

COMMANDS = ["run", "render", "validate", "crds", "rbac", "version"]


def test_help_names_every_command_with_a_whole_sentence(run: Run) -> None:
    code, output = run("--help")
    assert code == 0
    assert [
        command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands
    ] == COMMANDS
    for command in COMMANDS:
        (line,) = [each for each in output.splitlines() if each.strip().startswith(f"{command} ")]
        assert line.rstrip().endswith(".")
        assert not line.rstrip().endswith("..."), "cut"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(run: Run, command: str) -> None:
    code, output = run(command, "--help")
    assert code == 0
    found = next(each for each in app.registered_commands if (each.callback and each.callback.__name__) == command)
    assert found.callback is not None
    assert found.callback.__doc__
    assert "Usage:" in output


def test_crds_prints_the_definitions(run: Run) -> None:
    code, printed = run("crds")
    assert code == 0
    assert list(yaml.safe_load_all(printed)) == crd.definitions()


def test_version_prints_the_version(run: Run) -> None:
    assert run("version") == (0, f"{frappe_operator.__version__}\n")


@pytest.mark.parametrize("image", ["r.example.com/erp:v1", "erp@sha256:00", "erp:"])
def test_the_frappe_image_has_no_tag_as_benches_add_their_own(run: Run, image: str) -> None:
    code, output = run("run", "--kubeconfig=/nowhere", f"--frappe-image={image}")
    assert code == 2
    assert "must not contain a tag or digest" in output


def test_run_without_a_cluster_says_so_and_a_registry_may_have_a_port(tmp_path: object) -> None:
    """Runs a process, because the command sets up logging and signals."""
    options = ["--kubeconfig", f"{tmp_path}/gone", "--frappe-image=registry:5000/erp"]
    done = subprocess.run(
        [sys.executable, "-m", "frappe_operator.cli", "run", *options],
        capture_output=True,
        text=True,
        env={**os.environ, "KUBECONFIG": ""},
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == f"error: There is no kubeconfig at {tmp_path}/gone\n"


def test_the_cheap_commands_load_neither_cluster_nor_rules() -> None:
    """Shells and scripts call `version` and the help of a command often."""
    code = "import sys, frappe_operator.cli.commands; print({'cel', 'aiohttp', 'cryptography'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
