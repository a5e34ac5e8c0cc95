"""Watches a run of tests from the inside: that it imports the copy it stands in, and by what a test failed first.

Loaded as a plugin. Where it writes to is told by the environment.
"""

import json
import os
from pathlib import Path

import pytest

import frappe_operator

LEDGER = "FRAPPE_OPERATOR_WITNESS"
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
