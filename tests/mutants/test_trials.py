"""A few mutants are tried with every run of the tests, and some that are none: who says "caught" can be wrong too."""

from pathlib import Path

import pytest

from frappe_operator.kube import names
from tests.mutants.__main__ import trials
from tests.mutants.catalogue import MUTANTS
from tests.mutants.changes import (
    Change,
    always_false,
    argument,
    assigned,
    expression,
    returns,
    without_call,
    without_entry,
)
from tests.mutants.mutant import Mutant
from tests.mutants.repository_copy import RepositoryCopy
from tests.mutants.trial import Result, faults_without, trial

FAST = ["database-named-without-its-namespace", "key-reconciled-twice-at-once"]

NAMES = "unit/kube/test_names.py::test_a_short_name_is_the_plain_one_and_a_long_one_keeps_what_fits"
HARMLESS = Mutant(
    "harmless",
    "A line that says the same in another way is no bug.",
    names.child,
    expression("len(name) <= limit", "limit >= len(name)"),
    (NAMES,),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> RepositoryCopy:
    return RepositoryCopy(tmp_path_factory.mktemp("copy"))


def test_the_first_of_them_are_caught(tmp_path: Path) -> None:
    mutants = [mutant for mutant in MUTANTS if mutant.name in FAST]
    assert len(mutants) == len(FAST)
    tried = list(trials(mutants, 1, tmp_path))
    assert {each.mutant.name: each.result for each in tried} == dict.fromkeys(FAST, Result.CAUGHT)


def test_what_is_no_bug_is_not_caught(copy: RepositoryCopy) -> None:
    assert trial(copy, HARMLESS).result is Result.MISSED


def test_what_does_not_run_is_not_caught_either(copy: RepositoryCopy) -> None:
    tried = trial(copy, HARMLESS._replace(change=expression("len(name) <= limit", "no_such_name")))
    assert tried.result is Result.BROKEN
    tried = trial(copy, HARMLESS._replace(at=names, change=assigned("LIMIT", "__import__('no_such_module')")))
    assert tried.result is Result.BROKEN


def test_a_test_that_does_not_exist_catches_nothing(copy: RepositoryCopy) -> None:
    gone = HARMLESS._replace(change=returns("name"), caught_by=("unit/kube/test_names.py::test_that_is_gone",))
    assert trial(copy, gone).result is Result.BROKEN
    assert list(faults_without(copy, "tests/unit/kube/test_names.py", gone.tests)) == list(gone.tests)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (expression("len(name) < limit", "True"), "0 places instead of one: len(name) < limit"),
        (expression("name", "owner"), "places instead of one: name"),
        (expression("len(name)", "len(name)"), "nothing is changed"),
        (always_false("name gone"), "0 conditions have the names name gone in them"),
        (without_call("gone"), "0 places instead of one: statement that calls gone"),
        (argument("digest", 7, "8"), "digest has no argument 7"),
        (without_entry("gone"), "0 places instead of one: entry gone of a dict"),
    ],
)
def test_what_does_not_fit_the_code_is_stale(copy: RepositoryCopy, change: Change, why: str) -> None:
    tried = trial(copy, HARMLESS._replace(change=change))
    assert tried.result is Result.STALE
    assert why in tried.why
    assert "src/frappe_operator/kube/names.py, child: " in tried.why


def test_what_hangs_is_caught_only_where_that_is_the_bug(copy: RepositoryCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutants.trial.SECONDS", 3.0)
    monkeypatch.setattr("tests.mutants.trial.HANGING_SECONDS", 3.0)
    hanging = HARMLESS._replace(change=returns("[None for _ in iter(int, 1)]"))
    assert trial(copy, hanging).result is Result.BROKEN
    assert trial(copy, hanging._replace(hangs=True)).result is Result.CAUGHT


def test_the_copy_is_as_it_was_afterwards(copy: RepositoryCopy) -> None:
    path = copy.root / HARMLESS.path
    before, written = path.read_text(), path.stat().st_mtime_ns
    with copy.with_bug(HARMLESS):
        assert path.read_text() != before
    assert (path.read_text(), path.stat().st_mtime_ns) == (before, written)
    assert faults_without(copy, NAMES.partition("::")[0], [f"tests/{NAMES}"]) == {}
