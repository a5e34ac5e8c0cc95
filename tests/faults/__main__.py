"""Plays plans on all cores, or one and tells what happened. Exits with 1 when one failed."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from tests.faults.learn import plans, quarter
from tests.faults.oracles import ORACLES
from tests.faults.plan import Plan, parse
from tests.faults.play import Outcome, play, play_all, reference
from tests.faults.scenarios import SCENARIOS
from tests.faults.workers import side_by_side

PART = 40
"""Plans that one process plays, one after the other."""
SHOWN = 5
SECONDS_BETWEEN_LINES = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.plan:
        return tell(parse(options.plan))
    jobs = options.jobs or len(
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    names = options.scenario or list(SCENARIOS)
    parts = [part for name in names for part in parts_of(name, options.quarter)]
    total, done, failed = sum(map(len, parts)), 0, 0
    began = time.monotonic()
    progress = Progress(total)
    for outcome in side_by_side(jobs, play_all, parts):
        done += 1
        failed += not outcome.ok
        if not outcome.ok:
            progress.say(words(outcome))
        progress.show(done, failed)
    progress.end()
    print(f"{done} plans, {failed} failed ({time.monotonic() - began:.0f} s on {jobs} cores)")
    return 1 if failed else 0


def parts_of(name: str, only_quarter: bool) -> list[list[Plan]]:
    """A scenario's plans, in parts that are played side by side. Plans of one part share their beginning."""
    found = plans(name, reference(name).trace)
    if only_quarter:
        found = quarter(found)
    by_seed: dict[int, list[Plan]] = {}
    for plan in found:
        by_seed.setdefault(plan.seed, []).append(plan)
    return [each[start : start + PART] for each in by_seed.values() for start in range(0, len(each), PART)]


def words(outcome: Outcome) -> str:
    """A failed plan: its line of JSON, and what each oracle says."""
    lines = [outcome.plan.line()]
    for name, complaints in outcome.failures.items():
        lines += [f"  {name}: {each[-600:]}" for each in complaints[:SHOWN]]
        if len(complaints) > SHOWN:
            lines.append(f"  {name}: and {len(complaints) - SHOWN} more")
    return "\n".join(lines)


def tell(plan: Plan) -> int:
    """Plays one plan and prints what happened, in words."""
    print(plan)
    outcome = play(plan)
    for event in outcome.happened:
        print(f"  {event}")
    for oracle in ORACLES:
        complaints = outcome.failures.get(oracle.__name__, [])
        print(f"{'✘' if complaints else '✔'} {oracle.__name__}: {oracle.__doc__}")
        for each in complaints:
            print(f"    {each}")
    return 0 if outcome.ok else 1


class Progress:
    """How far it is: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._live = sys.stdout.isatty()
        self._last = 0.0

    def show(self, done: int, failed: int) -> None:
        text = f"{done} of {self._total} plans, {failed} failed"
        now = time.monotonic()
        if self._live:
            print(f"\r\033[K{text}", end="", flush=True)
        elif now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            print(text, flush=True)

    def say(self, text: str) -> None:
        self.end()
        print(text, flush=True)

    def end(self) -> None:
        """What comes next begins on a line of its own."""
        if self._live:
            print("\r\033[K", end="")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--plan", metavar="JSON", help="play this one, and tell what happened")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one; may be repeated")
    parser.add_argument("--quarter", action="store_true", help="every fourth plan")
    parser.add_argument("--jobs", type=int, default=0, help="processes side by side; as many as there are cores")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
