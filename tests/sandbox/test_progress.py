"""Who waits can read what is being done, how long it took, and what failed."""

import contextvars
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from rich.console import Console

from sandbox import progress
from sandbox.progress import Progress, plain


def test_lines_show_what_belongs_to_what():
    out = StringIO()
    shown = plain(out)
    with shown.step("Cluster"):
        with shown.step("etcd"):
            shown.note("listens")
        shown.note("half-way")
    lines = [line.split(" in ")[0] for line in out.getvalue().splitlines()]
    assert lines == ["Cluster …", "  etcd …", "    listens", "  etcd: done", "  half-way", "Cluster: done"]


def test_a_step_that_fails_says_so_and_lets_the_error_pass():
    out = StringIO()
    shown = plain(out)
    with pytest.raises(ZeroDivisionError), shown.step("Cluster"), shown.step("etcd"):
        _ = 1 / 0
    assert "  etcd: FAILED after" in out.getvalue()
    assert "\nCluster: FAILED after" in out.getvalue()


def drawn(tree: object) -> str:
    """What a terminal would show."""
    console = Console(file=StringIO(), width=80)
    with console.capture() as capture:
        console.print(tree)
    return capture.get()


def test_the_live_tree_shows_steps_of_several_threads_below_their_own():
    tree = progress._Live()
    shown: Progress = tree

    def work(name: str) -> str:
        with shown.step(name):
            shown.note(f"{name} is at work")
            return drawn(tree)

    with shown.step("Building"), ThreadPoolExecutor(1) as pool:
        middle = pool.submit(contextvars.copy_context().run, work, "oar").result()
    assert [line.strip(" └│├─").split("  ")[0] for line in middle.splitlines()][1:] == ["⠋ oar", "oar is at work"]
    end = drawn(tree)
    assert "✔ Building" in end
    assert "oar" not in end, "what was below a finished step is over"


def test_the_live_tree_keeps_what_was_below_a_failure():
    tree = progress._Live()

    def fail() -> None:
        with tree.step("Cluster"), tree.step("etcd"):
            tree.note("no space left")
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - any would do
        fail()
    end = drawn(tree)
    assert "✘ Cluster" in end
    assert "✘ etcd" in end
    assert "no space left" in end


def test_times_read_as_a_person_would_say_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sandbox.progress.time.monotonic", lambda: 185.0)
    assert progress.seconds(180.5) == "4.5 s"
    assert progress.seconds(0.0) == "3 m 05 s"
