"""Fixtures that run commands in the process of the test."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from frappe_operator.cli.commands import app

Run = Callable[..., tuple[int, str]]
"""Runs a command; `given` is its standard input. Returns the exit code and all output."""


@pytest.fixture
def run() -> Run:
    def command(*arguments: str, given: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments, input=given, catch_exceptions=False)
        return done.exit_code, done.output

    return command


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    """Writes text to a YAML file and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "objects.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write
