"""Output and errors of `render`."""

from collections.abc import Callable

import yaml

from tests.unit.cli.conftest import Run
from tests.unit.cli.test_validate import BENCH, EXTERNAL, SITE


def test_children_are_printed_bench_first_with_their_stage_above(run: Run, file: Callable[[str], str]) -> None:
    code, printed = run("render", file(f"{SITE}---\n{BENCH}"), "--namespace", "harbour")
    children = list(yaml.safe_load_all(printed))
    assert code == 0
    assert children[0]["metadata"] == {**children[0]["metadata"], "namespace": "harbour", "name": "pier-common"}
    stages = [line for line in printed.splitlines() if line.startswith(("# FrappeBench", "# FrappeSite"))]
    assert len(stages) == len(children)
    assert stages[0] == "# FrappeBench pier · StorageReady"
    assert "# FrappeSite pearl · SiteCreated · created once" in stages
    assert "# Assumed: image docker.io/frappe/erpnext:version-15 contains frappe, with Frappe 15." in printed


def test_passwords_are_printed_as_generated(run: Run, file: Callable[[str], str]) -> None:
    _, printed = run("render", file(f"{BENCH}---\n{SITE}"))
    secrets = [each["stringData"] for each in yaml.safe_load_all(printed) if each["kind"] == "Secret"]
    assert len(secrets) == 5
    assert {each.get("password") or each["word"] for each in secrets} == {"<generated>"}


def test_rendering_twice_prints_the_same(run: Run, file: Callable[[str], str]) -> None:
    path = file(f"{BENCH}---\n{SITE}")
    assert run("render", path) == run("render", path)


def test_a_secret_that_no_file_declares_is_assumed(run: Run, file: Callable[[str], str]) -> None:
    code, printed = run("render", file(f"{BENCH}---\n{SITE}{EXTERNAL}"))
    assert code == 0
    assert "check-database" in printed
    assert "pearl-db-connection" not in printed


def test_a_site_without_its_bench_is_an_error(run: Run, file: Callable[[str], str]) -> None:
    code, printed = run("render", file(SITE))
    assert code == 1
    assert printed == "error: FrappeBench pier of FrappeSite pearl is not in the files (namespace default)\n"


def test_a_failed_check_is_an_error_with_its_message(run: Run, file: Callable[[str], str]) -> None:
    code, printed = run("render", file(BENCH + "  appsJSON: nonsense\n"))
    assert code == 1
    assert "error: appsJSON is not JSON" in printed
