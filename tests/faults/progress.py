"""How many plans were played, how many failed, and what is shown meanwhile."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.run_plans import Outcome

SHOWN = 5
"""Complaints of one oracle."""
SECONDS_BETWEEN_LINES = 10.0


class Tally:
    """Counts, and shows how far it is: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self.plans = 0
        self.failed = 0
        self._live = sys.stdout.isatty()
        self._shown = 0.0

    @contextmanager
    def counting(self, where: str, total: int, how: str) -> Iterator[Callable[[Outcome], None]]:
        """Counts the outcomes of so many plans, and sums them up at the end."""
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
        # In real time no two plays take the same turns: the request that was to fail may not come.
        vain = f", in {spared} nothing went wrong" if spared else ""
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
    """A failed plan: its line of JSON, and what each oracle says."""
    lines = [outcome.plan.line()]
    for name, complaints in outcome.failures.items():
        lines += [f"  {name}: {each[-600:]}" for each in complaints[:SHOWN]]
        if len(complaints) > SHOWN:
            lines.append(f"  {name}: and {len(complaints) - SHOWN} more")
    return "\n".join(lines)
