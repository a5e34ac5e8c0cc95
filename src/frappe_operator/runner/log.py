"""The log of the runner: lines with the seconds since its start, without secrets."""

import time

from .credentials import redacted

_START = time.monotonic()


def say(text: str) -> None:
    """Prints one line, as `[  12.3 s] text`."""
    print(f"[{time.monotonic() - _START:6.1f} s] {redacted(text)}", flush=True)


def echo(line: str) -> None:
    """Prints a line of a program that the runner started."""
    print(f"           {redacted(line)}", flush=True)
