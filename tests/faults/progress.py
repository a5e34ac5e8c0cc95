"""Counts plans that were run and that failed, and prints progress."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.run_plans import Outcome

SHOWN = 5
"""How many violations of one oracle are printed."""
SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts plans and prints progress: one changing line on a terminal, a line every ten seconds elsewhere."""

    def __init__(self) -> None:
        self.plans = 0
        self.failed = 0
        self._live = sys.stdout.isatty()
        self._shown = 0.0

    @contextmanager
    def counting(self, where: str, total: int, how: str) -> Iterator[Callable[[Outcome], None]]:
        """Counts the outcomes of `total` plans, and prints a summary at the end."""
        began, plans, failed = time.monotonic(), self.plans, self.failed
        spared = 0

        def count(outcome: Outcome) -> None:
            nonlocal spared
            self.plans += 1
            spared += not outcome.happened
            if not outcome.ok:
                self.failed += 1
                self._say(words(outcome))
            self._show(f"{where}: {self.plans - plans} of {total} plans, {self.failed - failed} failed")

        yield count
        seconds = time.monotonic() - began
        # In real time no two runs are alike: the request that was to fail may not be made.
        vain = f", in {spared} no fault happened" if spared else ""
        self._say(f"{where}: {self.plans - plans} plans, {self.failed - failed} failed{vain} ({seconds:.0f} s, {how})")

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if self._live:
            print(f"\r\033[K{text}", end="", flush=True)
        elif now - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = now
            print(text, flush=True)

    def _say(self, text: str) -> None:
        if self._live:
            print("\r\033[K", end="")
        print(text, flush=True)


def words(outcome: Outcome) -> str:
    """A failed plan: its line of JSON, and the violations by oracle."""
    lines = [outcome.plan.line()]
    for name, complaints in outcome.failures.items():
        lines += [f"  {name}: {each[-600:]}" for each in complaints[:SHOWN]]
        if len(complaints) > SHOWN:
            lines.append(f"  {name}: and {len(complaints) - SHOWN} more")
    return "\n".join(lines)
