"""Programs that go on after the sandbox has ended, and are found again, and only they, by a later run of it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.deadline import DeadlineExceededError, until
from sandbox.identity import DESCRIBE_SELF, alive
from sandbox.state import State

TAIL = 15
"""Lines of a log that an error shows."""

# The program writes down who it is before it becomes itself: however early the sandbox is killed, no process is
# running that its state folder does not name. The outer shell ends at once and leaves it to init, which buries it.
_INNER = f"""
{DESCRIBE_SELF} >"$0"
log=$1; shift
exec "$@" >>"$log" 2>&1
"""
_OUTER = 'sh -c "$0" "$@" &'


class ProcessError(Exception):
    """A process ended, or did not become what was waited for. The message shows the end of its log."""


class Process:
    """One program of a cluster, by name. Any number of these values may speak of the same process."""

    def __init__(self, state: State, name: str) -> None:
        self.state = state
        self.name = name

    @property
    def log(self) -> Path:
        """What the program wrote to its standard output and error, over all its starts."""
        return self.state.log(self.name)

    @property
    def pid(self) -> int | None:
        """Its process id, or None if it does not run. A process that merely got the same id is not taken for it."""
        file = self.state.pid_file(self.name)
        return alive(file.read_text()) if file.exists() else None

    @property
    def running(self) -> bool:
        """True while the program runs."""
        return self.pid is not None

    def start(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Start `argv` detached from this process and its terminal. `env` is added to the environment.

        Does nothing if it runs already. That the program cannot be executed is only seen by waiting for it.
        """
        if self.running:
            return
        subprocess.run(
            ["sh", "-c", _OUTER, _INNER, self.state.pid_file(self.name), self.log, *argv],
            # Read to its end, which comes when the program has taken the log as its output: then it has its name.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd or self.state.root,
            start_new_session=True,
            check=True,
        )

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Return once `ready()` is true. Raises `ProcessError` when the process ends before, or time is up."""

        def settled() -> bool:
            return ready() or not self.running

        try:
            until(settled, seconds, what)
        except DeadlineExceededError as late:
            raise ProcessError(f"{late}\n{self._last_words()}") from None
        if not self.running:
            raise ProcessError(f"{what}: {self.name} has ended\n{self._last_words()}")

    def stop(self, grace: float = 10) -> None:
        """End it: politely, and after `grace` seconds for sure. Only ever the process that was started here."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            try:
                until(lambda: not self.running, grace, f"{self.name} to end")
            except DeadlineExceededError:
                os.kill(pid, signal.SIGKILL)
                until(lambda: not self.running, grace, f"{self.name} to be killed")
        self.state.pid_file(self.name).unlink(missing_ok=True)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"{self.log} ends with:", *(f"  {line}" for line in lines[-TAIL:])])
