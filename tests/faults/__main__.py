"""Plays plans on all cores, or one and tells what happened. Exits with 1 when one failed."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from demo import STAGES
from sandbox.cluster import Cluster
from sandbox.progress import plain
from tests.faults import run_on_cluster
from tests.faults.generate_plans import plans, quarter
from tests.faults.oracles import ORACLES, Oracle
from tests.faults.parallel import side_by_side
from tests.faults.plan import Plan, parse
from tests.faults.progress import Tally
from tests.faults.real_plans import chosen
from tests.faults.run_plans import Outcome, play, play_all, reference
from tests.faults.scenarios import SCENARIOS

PART = 40
"""Plans that one process plays, one after the other."""
REAL_PLANS = 300


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.plan:
        plan = parse(options.plan)
        return tell_of_real(plan) if options.only == "real" else tell(play(plan), ORACLES)
    tally = Tally()
    if options.only != "real":
        in_memory(tally, options)
    if options.only != "world":
        for_real(tally, options)
    print(f"{tally.plans} plans, {tally.failed} failed")
    return 1 if tally.failed else 0


def in_memory(tally: Tally, options: argparse.Namespace) -> None:
    """Plans in a world, on all cores."""
    jobs = options.jobs or cores()
    names = options.scenario or list(SCENARIOS)
    print(f"learning from {len(names)} scenarios", flush=True)
    parts = [part for name in names for part in parts_of(name, options.quarter)]
    with tally.counting("in a world", sum(map(len, parts)), f"on {jobs} cores") as count:
        for outcome in side_by_side(jobs, play_all, parts):
            count(outcome)


def for_real(tally: Tally, options: argparse.Namespace) -> None:
    """Plans against the real API server and the cluster's real controllers."""
    wanted = chosen(options.scenario or list(SCENARIOS), options.real_plans)
    with tally.counting("for real", len(wanted), f"{run_on_cluster.SIDE_BY_SIDE} at a time") as count:
        play_for_real(wanted, count)


def play_for_real(wanted: Sequence[Plan], told: Callable[[Outcome], None]) -> None:
    """Plays plans in a cluster of their own, and tells of each as it ends."""

    async def played(cluster: Cluster) -> None:
        async with run_on_cluster.town(cluster) as town:
            async for outcome in town.play_all(wanted):
                told(outcome)

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        cluster = Cluster(Path(folder), plain())
        try:
            cluster.up("simulated", STAGES)
            asyncio.run(played(cluster))
        finally:
            cluster.down()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parts_of(name: str, only_quarter: bool) -> list[list[Plan]]:
    """A scenario's plans, in parts that are played side by side. Plans of one part share their beginning."""
    found = plans(name, reference(name).trace)
    if only_quarter:
        found = quarter(found)
    by_seed: dict[int, list[Plan]] = {}
    for plan in found:
        by_seed.setdefault(plan.seed, []).append(plan)
    return [each[start : start + PART] for each in by_seed.values() for start in range(0, len(each), PART)]


def tell(outcome: Outcome, oracles: Sequence[Oracle]) -> int:
    """Prints what happened, in words."""
    print(outcome.plan)
    for event in outcome.happened:
        print(f"  {event}")
    for oracle in oracles:
        complaints = outcome.failures.get(oracle.__name__, [])
        print(f"{'✘' if complaints else '✔'} {oracle.__name__}: {oracle.__doc__}")
        for each in complaints:
            print(f"    {each}")
    return 0 if outcome.ok else 1


def tell_of_real(plan: Plan) -> int:
    """Plays a plan for real, and prints what happened."""
    outcomes: list[Outcome] = []
    play_for_real([plan], outcomes.append)
    return tell(outcomes[0], run_on_cluster.ORACLES)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--plan", metavar="JSON", help="play this one, and tell what happened")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one; may be repeated")
    parser.add_argument("--quarter", action="store_true", help="every fourth plan")
    parser.add_argument("--only", choices=["world", "real"], help="only in memory, or only against the real API server")
    parser.add_argument("--real-plans", type=int, default=REAL_PLANS, help="how many of those")
    parser.add_argument("--jobs", type=int, default=0, help="processes side by side; as many as there are cores")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
