"""The runner as a program: its imports, its errors and its report."""

import ast
import sys

import pytest

from frappe_operator import runner
from frappe_operator.kube.reasons import Reason
from frappe_operator.model.reasons import FrappeReason

from .conftest import HAS_MARIADB
from .pod import Pod
from .server import Server
from .test_image import inspect


@pytest.mark.skipif(not HAS_MARIADB, reason="no mariadbd on this machine: the runner's tests asked only the fake one")
def test_a_real_mariadb_is_tested_too(real_server: Server) -> None:
    assert "MariaDB" in real_server.sql("SELECT VERSION();")[0][0]


def test_its_files_fit_into_a_config_map_and_stand_alone() -> None:
    files = runner.files()
    assert "__main__.py" in files
    assert "__init__.py" not in files
    assert sum(map(len, files.values())) < 200_000
    for name, text in files.items():
        for node in ast.walk(ast.parse(text, name, feature_version=(3, 10))):
            if isinstance(node, ast.Import):
                assert {each.name.split(".")[0] for each in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert str(node.module).split(".")[0] in sys.stdlib_module_names


def test_every_reason_that_blocks_is_one_that_a_condition_can_have() -> None:
    blocked = {
        node.args[0].value
        for text in runner.files().values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Blocked", "Retry")
        if isinstance(node.args[0], ast.Constant)
    }
    assert "DatabaseNotEmpty" in blocked
    assert blocked <= {str(reason) for reason in (*Reason, *FrappeReason)}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("destroy",),
        ("prepare-database", "--unknown=1"),
        ("create-site", "--site=shop"),
        ("create-site", "--site=../etc", "--owner=a", "--bench-id=a"),
        ("create-site", "--site=--force", "--owner=a", "--bench-id=a"),
        ("create-site", "--site=UPPER", "--owner=a", "--bench-id=a"),
        ("create-site", "--site=a\nb", "--owner=a", "--bench-id=a"),
        ("create-site", "--site=a\n", "--owner=a", "--bench-id=a"),
        ("install-apps", "--site=shop", "--apps=frappe,--help"),
        ("install-apps", "--site=shop", "--apps=../../etc"),
        ("layout", "--site=s", "--view=/v", "--bench-id=a", "--redis-cache-host=h/1", "--redis-queue-host=h"),
        (
            "layout",
            "--site=s",
            "--view=/v",
            "--bench-id=a",
            "--redis-cache-host=h",
            "--redis-queue-host=h",
            "--common-config=[]",
        ),
    ],
)
def test_arguments_that_it_does_not_understand_are_refused(pod: Pod, arguments: tuple[str, ...]) -> None:
    ended = pod.run(*arguments)
    assert (ended.code, ended.reason) == (64, "InvalidArguments")


def test_a_long_message_is_cut_and_facts_are_kept(pod: Pod) -> None:
    for number in range(60):
        pod.add_app(f"app_number_{number}", "__version__ = '1.0.0'\n")
    (pod.bench / "sites" / "apps.txt").unlink()
    ended = pod.run(
        "install-apps", "--site=shop", "--apps=" + ",".join(f"é_missing_{n}" for n in range(0)) + "x" * 5000
    )
    assert (ended.code, ended.reason) == (64, "AppNotInImage")
    assert ended.message.endswith("…")


def test_without_a_termination_log_the_log_says_it(pod: Pod) -> None:
    pod.environment["TERMINATION_LOG"] = str(pod.root / "nowhere" / "log")
    process = pod.start(*inspect(pod, key="UPPER"))
    output, _ = process.communicate()
    assert process.returncode == 64
    assert "InvalidArguments" in output
    assert "cannot be written" in output


def test_an_error_of_the_volume_names_the_path(pod: Pod) -> None:
    (pod.bench / "assets").mkdir()
    (pod.common / "assets").write_text("a file where a folder should be")
    ended = pod.run(*inspect(pod))
    assert (ended.code, ended.reason) == (1, "StorageFailed")
    assert str(pod.common / "assets") in ended.message
