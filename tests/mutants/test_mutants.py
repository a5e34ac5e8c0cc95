"""Every mutant still fits the code it is a bug of. Whoever changes that code changes the mutant with it."""

import ast
import functools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import ROOT, Mutant, planted

EACH = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
FEWEST = 50
"""Fewer kinds of bugs would say little about the tests."""


@EACH
def test_it_fits_the_code_and_leaves_a_program(mutant: Mutant) -> None:
    planted(mutant)


@EACH
def test_the_tests_that_must_catch_it_exist(mutant: Mutant) -> None:
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), f"{file} is gone: name the tests that have taken its place"
        assert not name or name in _functions(ROOT / file), f"{test} is gone: name the test that has taken its place"


def test_there_are_enough_and_no_two_are_the_same() -> None:
    names = Counter(mutant.name for mutant in MUTANTS)
    changes = Counter(planted(mutant) for mutant in MUTANTS)
    assert [name for name, times in names.items() if times > 1] == []
    assert [text for text, times in changes.items() if times > 1] == []
    assert len(MUTANTS) >= FEWEST


def test_no_bug_is_merely_a_name_that_does_not_exist(tmp_path: Path) -> None:
    for mutant in MUTANTS:
        (tmp_path / f"{mutant.name}.py").write_text(planted(mutant))
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F821,F823", "--quiet"]
    checked = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@functools.cache
def _functions(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
