"""One run of a mutant's tests, and what it shows."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tests.mutants.changes import Stale
from tests.mutants.mutant import Mutant
from tests.mutants.pytest_plugin import LEDGER
from tests.mutants.repository_copy import RepositoryCopy

SECONDS = 120.0
"""What takes longer hangs. The tests of a mutant take seconds."""
HANGING_SECONDS = 20.0
"""The same where hanging is the bug."""

NO_PROGRAM = {"NameError", "ImportError", "SyntaxError"}
"""A test that fails with one of these has met a program that never ran, not the bug."""


class Result(StrEnum):
    """What came of a trial."""

    CAUGHT = "caught"
    MISSED = "NOT CAUGHT"
    """The tests pass with the bug in the code."""
    BROKEN = "BROKEN"
    """Nothing was tested: the program does not run, or the tests do not."""
    STALE = "STALE"
    """The bug does not fit the code any more."""


class Trial(NamedTuple):
    """A mutant, tried."""

    mutant: Mutant
    result: Result
    why: str
    """The test that caught it, or what else happened."""
    seconds: float


class _Run(NamedTuple):
    """Tests that have come to their end, or have been ended: `code` is None then."""

    code: int | None
    said: str
    failures: list[tuple[str, set[str]]]
    """Test, and the names of the exception's classes."""


def faults_without(copy: RepositoryCopy, file: str, tests: Collection[str]) -> dict[str, str]:
    """Of tests in one file, those that say nothing about a mutant, and why: they do not pass without it."""
    run = _run(copy, sorted(tests), SECONDS * 5, first_only=False, keep_compiled=True)
    if run.code == 0:
        return {}
    failed = [test for test, _ in run.failures]
    if run.code != 1 or not failed:
        return {test: f"the tests of {file} do not run without it either, {_ended(run)}" for test in tests}
    return {
        test: f"{test} fails without it too"
        for test in tests
        if any(each == test or each.startswith((f"{test}[", f"{test}::")) for each in failed)
    }


def trial(copy: RepositoryCopy, mutant: Mutant) -> Trial:
    """Plants the bug and runs the tests that must catch it."""
    began = time.monotonic()
    try:
        with copy.with_bug(mutant):
            run = _run(
                copy, mutant.tests, HANGING_SECONDS if mutant.hangs else SECONDS, first_only=True, keep_compiled=False
            )
    except Stale as stale:
        return Trial(mutant, Result.STALE, str(stale), 0.0)
    return Trial(mutant, *_judged(mutant, run), time.monotonic() - began)


def _judged(mutant: Mutant, run: _Run) -> tuple[Result, str]:
    if run.code is None:
        return (Result.CAUGHT, "it hangs") if mutant.hangs else (Result.BROKEN, _ended(run))
    if run.code == 0:
        return Result.MISSED, f"{' '.join(mutant.tests)}"
    # 1: tests ran and failed. Anything else is pytest's own trouble: nothing collected, no such test, an import.
    if run.code != 1 or not run.failures:
        return Result.BROKEN, _ended(run)
    test, error = run.failures[0]
    if error & NO_PROGRAM:
        return Result.BROKEN, _ended(run)
    return Result.CAUGHT, test.partition("::")[2]


def _ended(run: _Run) -> str:
    how = "they do not end" if run.code is None else f"pytest ends with {run.code}"
    lines = [line for line in run.said.splitlines() if line.strip()]
    return "\n".join([f"{how}:", *(f"    | {line}" for line in lines[-12:])])


def _run(copy: RepositoryCopy, tests: Sequence[str], seconds: float, *, first_only: bool, keep_compiled: bool) -> _Run:
    """`first_only`: the first failure ends it. `keep_compiled`: for later runs, when there is no bug in the code."""
    ledger = copy.root / "failures.jsonl"
    ledger.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {
        # Before what the editable installation puts there.
        "PYTHONPATH": str(copy.root / "src"),
        # The same examples each time: a mutant is not caught by luck.
        "CI": "true",
        LEDGER: str(ledger),
    }
    if not keep_compiled:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
    command += ["-p", "tests.mutants.pytest_plugin", *(["-x"] if first_only else []), *tests]
    with subprocess.Popen(
        command,
        cwd=copy.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            # With whatever the tests have started: the session is theirs alone.
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            code = None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return _Run(code, said, _failures(ledger))


def _failures(ledger: Path) -> list[tuple[str, set[str]]]:
    if not ledger.exists():
        return []
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [(line["test"], set(line["error"])) for line in lines]
