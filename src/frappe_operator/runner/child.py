"""Child processes: started without a shell, their output without secrets, and ended with the runner."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from .log import echo

GRACE = 20
"""Seconds between SIGTERM and SIGKILL for a child; less than the 30 s that Kubernetes gives us."""

_PROGRESS = re.compile(r"\[[\s=#.>*-]*\]\s*\d{1,3}\s*%|\b\d{1,3}%\s*[|\[]|^[\W_]*(?:\d{1,3}%)?[\W_]*$")
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
"""Colours, movements of the cursor, and what else no sentence has."""


class Ended(NamedTuple):
    """A child process that has ended."""

    code: int
    out: str
    err: str

    @property
    def log_tail(self) -> str:
        """The last line of the output that is no progress bar; it usually names the cause of a failure."""
        lines = [_plain(line) for line in f"{self.out}\n{self.err}".splitlines()]
        return next((line for line in reversed(lines) if line and not _PROGRESS.search(line)), "no output")

    @property
    def how(self) -> str:
        """How a failed program ended, with the last line of its output."""
        if self.code == -signal.SIGKILL:
            return f"was killed, most likely because the memory limit was reached: {self.log_tail}"
        return f"exited with {self.code}: {self.log_tail}"


def _plain(line: str) -> str:
    return _ESCAPE.sub("", line).strip()


def ask(argv: Sequence[str], stdin: str, *, timeout: float, pass_fds: Sequence[int] = ()) -> Ended:
    """Runs a program and captures its output. Raises subprocess.TimeoutExpired after `timeout` seconds."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=pass_fds
    )
    with _not_outliving_us(process):
        out, err = process.communicate(stdin, timeout)
    return Ended(process.returncode, out, err)


def follow(argv: Sequence[str], cwd: Path) -> Ended:
    """Runs a program and prints its output as it arrives."""
    process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[list[str]] = [[], []]
    with _not_outliving_us(process):
        readers = [
            threading.Thread(target=_read, args=each, daemon=True)
            for each in ((process.stdout, said[0]), (process.stderr, said[1]))
        ]
        for reader in readers:
            reader.start()
        process.wait()
        for reader in readers:
            reader.join()
    return Ended(process.returncode, "\n".join(said[0]), "\n".join(said[1]))


def _read(stream: IO[bytes], lines: list[str]) -> None:
    # Only "\n" ends a line: a progress bar redraws itself with "\r" and counts as one.
    for line in TextIOWrapper(cast(BinaryIO, stream), encoding="utf-8", errors="replace", newline="\n"):
        lines.append(line.rstrip("\r\n").rsplit("\r", 1)[-1])
        echo(lines[-1])


@contextmanager
def _not_outliving_us(process: subprocess.Popen[Any]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
