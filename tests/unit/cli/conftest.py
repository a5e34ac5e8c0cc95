"""The command line, without a process around it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from frappe_operator.cli.commands import app

Run = Callable[..., tuple[int, str]]
"""Runs a command; `given` is its standard input. Returns exit code and everything it printed."""


@pytest.fixture
def run() -> Run:
    def command(*arguments: str, given: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments, input=given, catch_exceptions=False)
        return done.exit_code, done.output

    return command


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    """Writes a YAML file and says where."""

    def write(text: str) -> str:
        path = tmp_path / "objects.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write
