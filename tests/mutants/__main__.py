"""`python -m tests.mutants [PATTERN …]`: plants every bug, or those whose names match, and says which are caught.

Ends with 1 when one is not caught, or does not fit the code any more.
"""

import argparse
import fnmatch
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.repository_copy import RepositoryCopy
from tests.mutants.trial import Result, Trial, faults_without, trial

T = TypeVar("T")


def trials(mutants: Sequence[Mutant], workers: int, folder: Path) -> Iterator[Trial]:
    """Tries each mutant, as many at once as there are workers, each in a copy of its own below `folder`."""
    free: SimpleQueue[RepositoryCopy] = SimpleQueue()
    for number in range(min(workers, len(mutants))):
        free.put(RepositoryCopy(folder / str(number)))

    def in_a_tree(work: Callable[..., T], *arguments: object) -> T:
        copy = free.get()
        try:
            return work(copy, *arguments)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(workers) as pool:
        try:
            checks = [pool.submit(in_a_tree, faults_without, file, tests) for file, tests in _by_file(mutants).items()]
            faults = {test: why for check in as_completed(checks) for test, why in check.result().items()}
            for mutant in mutants:
                if fault := next((faults[test] for test in mutant.tests if test in faults), ""):
                    yield Trial(mutant, Result.BROKEN, fault, 0.0)
            sound = [mutant for mutant in mutants if not faults.keys() & set(mutant.tests)]
            for future in as_completed([pool.submit(in_a_tree, trial, mutant) for mutant in sound]):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _by_file(mutants: Iterable[Mutant]) -> dict[str, set[str]]:
    """Every test that a mutant names, by the file it is in."""
    found: dict[str, set[str]] = {}
    for mutant in mutants:
        for test in mutant.tests:
            found.setdefault(test.partition("::")[0], set()).add(test)
    return found


def main(argv: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("pattern", nargs="*", help="names of mutants, such as 'watch-*'; all of them without one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many are tried at once")
    asked = parser.parse_args(argv)
    mutants = [
        mutant
        for mutant in MUTANTS
        if not asked.pattern or any(fnmatch.fnmatch(mutant.name, pattern) for pattern in asked.pattern)
    ]
    if not mutants:
        parser.error("no mutant is called so")
    began, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number, each in enumerate(trials(mutants, asked.workers, Path(folder)), 1):
            print(f"{number:3}/{len(mutants)} {each.result:<10} {each.mutant.name:<40} {each.seconds:4.1f} s", end="  ")
            print(each.why if each.result is Result.CAUGHT else "", flush=True)
            if each.result is not Result.CAUGHT:
                failed.append(each)
                print(f"      {each.mutant.bug}\n      {each.why}", flush=True)
    print(f"{len(mutants)} mutants, {len(failed)} not caught, in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
