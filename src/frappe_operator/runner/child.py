"""Child processes: started without a shell, their output without secrets, and ended with the runner."""

import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    overdue: bool = False
    """Whether it was ended because it took too long."""

    @property
    def lines(self) -> list[str]:
        """The output without colours and progress bars, its errors last."""
        lines = [_plain(line) for line in f"{self.out}\n{self.err}".splitlines()]
        return [line for line in lines if line and not _PROGRESS.search(line)]

    @property
    def log_tail(self) -> str:
        """The last line of the output that is no progress bar; it usually names the cause of a failure."""
        return next(reversed(self.lines), "no output")

    def last(self, count: int) -> str:
        """The last lines of the output that are no progress bars, in one; empty without output."""
        return " / ".join(self.lines[-count:])

    @property
    def how(self) -> str:
        """How a failed program ended, with the last line of its output."""
        if self.code == -signal.SIGKILL:
            return f"was killed, most likely because the memory limit was reached: {self.log_tail}"
        return f"exited with {self.code}: {self.log_tail}"


def _plain(line: str) -> str:
    return _ESCAPE.sub("", line).strip()


def ask(
    argv: Sequence[str],
    stdin: str,
    *,
    timeout: float,
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Runs a program and captures its output. Raises subprocess.TimeoutExpired after `timeout` seconds."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
        env=env,
    )
    with _not_outliving_us(process):
        out, err = process.communicate(stdin, timeout)
    return Ended(process.returncode, out, err)


def follow(
    argv: Sequence[str], cwd: Path, *, timeout: float | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Runs a program and prints its output as it arrives. After `timeout` seconds the program is ended. `env`: its
    environment, by default that of the runner."""
    process = subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[list[str]] = [[], []]
    overdue = False
    with _not_outliving_us(process):
        readers = [
            threading.Thread(target=_read, args=each, daemon=True)
            for each in ((process.stdout, said[0]), (process.stderr, said[1]))
        ]
        for reader in readers:
            reader.start()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            overdue = True
            _end(process)
        for reader in readers:
            # What an ended program has started itself may hold its output open.
            reader.join(GRACE if overdue else None)
    return Ended(process.returncode, "\n".join(said[0]), "\n".join(said[1]), overdue)


def draw(argv: Sequence[str], take: Callable[[bytes], object], *, stall: float, pass_fds: Sequence[int] = ()) -> Ended:
    """Runs a program and hands its output to `take`, piece by piece; `out` of the result is empty.

    Raises subprocess.TimeoutExpired when it prints nothing for `stall` seconds.
    """
    with _errors() as errors:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, pass_fds=pass_fds
        )
        assert process.stdout is not None
        with process, _not_outliving_us(process):
            while _ready(argv, stall, reading=process.stdout) and (piece := os.read(process.stdout.fileno(), 1 << 20)):
                take(piece)
            process.wait()
        return Ended(process.returncode, "", _text(errors))


def pour(argv: Sequence[str], pieces: Iterable[bytes], *, stall: float, pass_fds: Sequence[int] = ()) -> Ended:
    """Runs a program with `pieces` as its standard input; what it prints is dropped, its errors are not.

    Raises subprocess.TimeoutExpired when it reads nothing for `stall` seconds.
    """
    with _errors() as errors:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, pass_fds=pass_fds
        )
        assert process.stdin is not None
        with process, _not_outliving_us(process):
            os.set_blocking(process.stdin.fileno(), False)
            try:
                for piece in pieces:
                    rest = memoryview(piece)
                    while rest and _ready(argv, stall, writing=process.stdin):
                        rest = rest[os.write(process.stdin.fileno(), rest) :]
            except BrokenPipeError:
                pass  # It has ended early, and says why.
            process.stdin.close()
            process.wait(stall)
        return Ended(process.returncode, "", _text(errors))


def _ready(
    argv: Sequence[str], stall: float, *, reading: IO[bytes] | None = None, writing: IO[bytes] | None = None
) -> bool:
    if any(select.select([reading] if reading else [], [writing] if writing else [], [], stall)):
        return True
    raise subprocess.TimeoutExpired(argv, stall)


@contextmanager
def _errors() -> Iterator[int]:
    """A file in memory for what a program prints as errors: nobody has to read it while the program runs."""
    file = os.memfd_create("stderr")
    try:
        yield file
    finally:
        os.close(file)


def _text(file: int) -> str:
    return os.pread(file, 1 << 16, 0).decode("utf-8", "replace")


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
        _end(process)
        raise


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
