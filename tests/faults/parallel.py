"""Runs work in several processes: each takes a part, and results come back as they are produced."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

# What the process knows by then, the processes for the parts know as well.
_FORK = multiprocessing.get_context("fork")


class WorkerDied(Exception):
    """A process ended before it had sent all its results."""


def run_in_parallel(jobs: int, work: Callable[[Part], Iterable[Result]], parts: Sequence[Part]) -> Iterator[Result]:
    """The results of `work` on each part, in any order. Raises WorkerDied. For processes without threads."""
    waiting = list(reversed(parts))
    running: dict[Connection, ForkProcess] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                ours, theirs = _FORK.Pipe(duplex=False)
                process = _FORK.Process(target=_do, args=(work, waiting.pop(), theirs))
                process.start()
                theirs.close()
                running[ours] = process
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                try:
                    result = pipe.recv()
                except EOFError:
                    raise WorkerDied(f"exit code {running[pipe].exitcode}") from None
                if result is None:
                    running.pop(pipe).join()
                    pipe.close()
                else:
                    yield result[0]
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _do(work: Callable[[Part], Iterable[Result]], part: Part, told: Connection) -> None:
    for result in work(part):
        told.send((result,))
    told.send(None)
