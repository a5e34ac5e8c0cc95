"""Tells the person who waits what is being done: a live tree on a terminal, plain lines anywhere else."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree


class Progress(Protocol):
    """Where work says what it does. Steps nest, and steps of several threads run side by side."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """Announce `title`, and when the block ends, how long it took or that it failed.

        A thread's step hangs below the step that was open in the context the thread was given
        (`contextvars.copy_context().run`).
        """

    def note(self, text: str, about: str = "") -> None:
        """Say one thing about the step in progress. It takes the place of what was said `about` the same before."""


def plain(out: TextIO | None = None) -> Progress:
    """Progress as lines on `out` (standard error unless told)."""
    return _Lines(out or sys.stderr)


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """A live tree if standard error is a terminal, else plain lines. `CI` set means lines."""
    console = Console(stderr=True)
    if not console.is_terminal or os.environ.get("CI"):
        yield plain()
        return
    tree = _Live()
    with Live(tree, console=console, refresh_per_second=8):
        yield tree


def seconds(since: float) -> str:
    """The time since `since` (a `time.monotonic()`), as a person would say it: `4.2 s`, `3 m 05 s`."""
    elapsed = time.monotonic() - since
    return f"{elapsed:.1f} s" if elapsed < 60 else f"{int(elapsed // 60)} m {int(elapsed % 60):02d} s"


_depth: ContextVar[int] = ContextVar("depth", default=0)


class _Lines:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.note(f"{title} …")
        token, began = _depth.set(_depth.get() + 1), time.monotonic()
        try:
            yield
        except BaseException:
            _depth.reset(token)
            self.note(f"{title}: FAILED after {seconds(began)}")
            raise
        _depth.reset(token)
        self.note(f"{title}: done in {seconds(began)}")

    def note(self, text: str, about: str = "") -> None:
        with self._lock:
            print("  " * _depth.get() + text, file=self._out, flush=True)


class _Step:
    def __init__(self, title: str) -> None:
        self.title = title
        self.began = time.monotonic()
        self.end: str | None = None
        self.failed = False
        self.notes: dict[str, str] = {}
        self.steps: list[_Step] = []
        self.spinner = Spinner("dots")

    def grow(self, tree: Tree) -> None:
        label = Text()
        if self.end is None:
            label.append_text(Text.assemble(self.spinner.render(time.monotonic()), " "))  # type: ignore[arg-type]
        else:
            label.append("✘ " if self.failed else "✔ ", "red" if self.failed else "green")
        label.append(self.title)
        label.append(f"  {self.end or seconds(self.began)}", "dim")
        if self.notes and (self.end is None or self.failed):
            label.append("\n" + "\n".join(self.notes.values()), "dim")
        branch = tree.add(label)
        # A finished step is one line: what was below it is of interest only if it failed.
        if self.end is None or self.failed:
            for step in list(self.steps):
                step.grow(branch)


_open_step: ContextVar[_Step | None] = ContextVar("open_step", default=None)


class _Live:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._top: list[_Step | Text] = []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tree = Tree("", hide_root=True)
        for line in list(self._top):
            if isinstance(line, Text):
                tree.add(line)
            else:
                line.grow(tree)
        yield tree

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        step, parent = _Step(title), _open_step.get()
        with self._lock:
            if parent:
                parent.steps.append(step)
            else:
                self._top.append(step)
        token = _open_step.set(step)
        try:
            yield
        except BaseException:
            step.failed = True
            raise
        finally:
            step.end = seconds(step.began)
            _open_step.reset(token)

    def note(self, text: str, about: str = "") -> None:
        step = _open_step.get()
        if step:
            step.notes[about] = text
        else:
            with self._lock:
                self._top.append(Text(text))
