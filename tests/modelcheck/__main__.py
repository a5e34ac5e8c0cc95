"""`python -m tests.modelcheck [--small]`: every state of every scenario, or the shortest way to what is wrong."""

import sys
import time

import structlog

from tests.modelcheck.properties import Violation
from tests.modelcheck.scenarios import LARGE, SMALL, Scenario
from tests.modelcheck.search import Search


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    # Thousands of operators die here; what they say is of no interest.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    began = time.monotonic()
    states = transitions = 0
    for scenario in SMALL if arguments == ["--small"] else LARGE:
        try:
            search = explore(scenario)
        except Violation as violation:
            print(f"{scenario.name}: {violation}")
            return 1
        states += search.states
        transitions += search.transitions
    print(f"{states} states, {transitions} transitions, nothing wrong in {time.monotonic() - began:.0f} s")
    return 0


def explore(scenario: Scenario) -> Search:
    """Searches one scenario, and says how far it is."""
    began = time.monotonic()

    def say(search: Search, end: str = "\r") -> None:
        told = f"{search.states:>8} states {search.transitions:>8} transitions {search.depth:>3} steps deep"
        sys.stdout.write(f"{told} {time.monotonic() - began:4.0f} s  {scenario.name}{end}")
        sys.stdout.flush()

    search = Search(scenario.model())
    search.run(say if sys.stdout.isatty() else lambda search: None)
    say(search, "\n")
    return search


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
