"""Runs a quarter of the plans that `make faults` runs; tests of the command itself."""

import subprocess
import sys

import pytest

from tests.faults.scenarios import SCENARIOS

LONGEST_SECONDS = 900


def faults(*argv: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in its own process: it forks, which a process with threads, as pytest may be, must not."""
    command = [sys.executable, "-m", "tests.faults", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_goes_wrong_the_end_is_the_same(name: str) -> None:
    run = faults("--only=world", "--quarter", "--jobs=1", f"--scenario={name}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert ", 0 failed" in run.stdout


def test_a_plan_is_played_from_its_line_and_told_in_words() -> None:
    line = (
        '{"scenario":"scaled","faults":[{"at":"request","what":"reset","verb":"apply","kind":"Deployment",'
        '"name":"acme-gunicorn","nth":2,"after":true}]}'
    )
    run = faults(f"--plan={line}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "reset after apply of Deployment acme-gunicorn" in run.stdout
    assert "✔ effects_once" in run.stdout
    assert "✘" not in run.stdout


def test_a_plan_that_fails_is_told_and_fails() -> None:
    run = faults('--plan={"scenario":"scaled","faults":[{"at":"request","what":"crash","nth":9999}]}')
    assert run.returncode == 1
    assert "✘ a_fault_happened" in run.stdout


BOTH_WAYS = """
from tests.faults.generate_plans import plans
from tests.faults.run_plans import reference, run_plan, run_plans
chosen = [plan for plan in plans("scaled", reference("scaled").trace) if plan.seed == 0][::15]
for outcome in run_plans(chosen):
    assert outcome == run_plan(outcome.plan), outcome
print(len(chosen))
"""


def test_branching_off_is_the_same_as_playing_from_the_beginning() -> None:
    run = subprocess.run(
        [sys.executable, "-c", BOTH_WAYS], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 5
