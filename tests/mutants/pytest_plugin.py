"""A plugin of pytest for the run of a mutant's tests: they must import the copy, and each failure is recorded.

An environment variable names the file that the failures are written to.
"""

import json
import os
from pathlib import Path

import pytest

import frappe_operator

LEDGER = "FRAPPE_OPERATOR_MUTANT_FAILURES"
"""Environment variable: the file that gets a line for each failure."""


def pytest_configure(config: pytest.Config) -> None:
    imported = Path(frappe_operator.__file__)
    if not imported.is_relative_to(config.rootpath / "src"):
        raise pytest.UsageError(f"{imported} was imported, which is not the code in {config.rootpath}")


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector, call: pytest.CallInfo[object], report: pytest.TestReport
) -> None:
    assert call.excinfo is not None
    classes = [each.__name__ for each in call.excinfo.type.__mro__]
    with open(os.environ[LEDGER], "a", encoding="utf-8") as ledger:
        ledger.write(json.dumps({"test": node.nodeid, "error": classes}) + "\n")
