"""The environment of the runner in a pod: a bench, mounted Secrets and a termination log; and running the runner in
it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from frappe_operator import runner

FAKES = Path(__file__).parent / "fakes"


class Ended(NamedTuple):
    """A finished run of the runner."""

    code: int
    report: dict[str, Any]
    output: str

    @property
    def reason(self) -> str:
        return str(self.report["reason"])

    @property
    def message(self) -> str:
        return str(self.report["message"])


class Pod:
    """The file system of a pod, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bench, self.view, self.volume = root / "bench", root / "view", root / "volume"
        self.common, self.programs, self.runner = root / "common", root / "programs", root / "opt" / "frappe-operator"
        self.config = root / "config"
        for folder in (
            self.bench,
            self.view,
            self.config,
            self.volume,
            self.common,
            self.programs,
            self.bench / "sites",
        ):
            folder.mkdir()
        self.runner.mkdir(parents=True)
        for name, text in runner.files().items():
            (self.runner / name).write_text(text)
        for app, version in (("frappe", "15.51.1"), ("hrms", "15.1.0"), ("erpnext", "15.2.0")):
            self.add_app(app, f"__version__ = '{version}'\n")
        (self.bench / "sites" / "apps.txt").write_text("frappe\nerpnext\nhrms\n")
        self.program(self.bench / "env" / "bin" / "python", FAKES / "frappe.py")
        self.secret("redis", password="redis/p@ss")
        self.secret("admin", password="admin-canary-1")
        self.environment: dict[str, str] = {}

    def add_app(self, app: str, source: str) -> Path:
        package = self.bench / "apps" / app / app
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(source)
        return package

    def program(self, path: Path, source: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {source} "$@"\n')
        path.chmod(0o755)

    def secret(self, group: str, **keys: str) -> None:
        folder = self.root / "secrets" / group
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in keys.items():
            (folder / key).write_text(value)

    def start(self, *arguments: str, kill_at: int = 0) -> "subprocess.Popen[str]":
        """Starts the runner in its own process group. `kill_at`: the number of the side effect before which it is
        killed."""
        program = [sys.executable, "-I", *([str(FAKES / "fatal.py")] if kill_at else []), str(self.runner)]
        (self.root / "termination-log").unlink(missing_ok=True)
        return subprocess.Popen(
            [*program, *arguments],
            env={
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "BENCH": str(self.bench),
                "SECRETS": str(self.root / "secrets"),
                "TERMINATION_LOG": str(self.root / "termination-log"),
                "FAKES": str(self.root),
                "KILL_AT": str(kill_at),
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, kill_at: int = 0) -> Ended:
        """Runs the runner until it ends."""
        return self.end(self.start(*arguments, kill_at=kill_at))

    def end(self, process: "subprocess.Popen[str]") -> Ended:
        output, _ = process.communicate(timeout=180)
        log = self.root / "termination-log"
        text = (log.read_text() if log.exists() else "") or "{}"
        assert len(text) <= 4096
        for canary in ("canary", "p@ss", "p%40ss"):
            assert canary not in text
            assert canary not in output
        if process.returncode in (0, 1, 64):
            assert json.loads(text)["ok"] is (process.returncode == 0), output
            assert json.loads(text)["blocked"] is (process.returncode == 64), output
        return Ended(process.returncode, json.loads(text), output)

    def killed_everywhere(self, *arguments: str) -> "list[int]":
        """Runs a command repeatedly, killed before a later side effect each time, until it ends normally."""
        deaths: list[int] = []
        while self.run(*arguments, kill_at=len(deaths) + 1).code == -signal.SIGKILL:
            deaths.append(len(deaths) + 1)
            assert len(deaths) < 500
        return deaths

    def calls(self) -> list[list[str]]:
        """The calls of Frappe: `[site, command, …]`."""
        log = self.root / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
