"""Runs fault plans on all cores, or a single one and prints what happened. Exit code 1 when one failed."""

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
from tests.faults.parallel import run_in_parallel
from tests.faults.plan import Plan, parse
from tests.faults.progress import Progress
from tests.faults.real_plans import chosen
from tests.faults.run_plans import Outcome, reference, run_plan, run_plans
from tests.faults.scenarios import REAL, SCENARIOS

PART = 40
"""Plans that one process runs, one after the other."""
REAL_PLANS = 300


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.plan:
        plan = parse(options.plan)
        return run_and_print_on_cluster(plan) if options.only == "real" else print_outcome(run_plan(plan), ORACLES)
    progress = Progress()
    if options.only != "real":
        run_in_memory(progress, options)
    if options.only != "world":
        run_on_real_cluster(progress, options)
    print(f"{progress.plans} plans, {progress.failed} failed")
    return 1 if progress.failed else 0


def run_in_memory(progress: Progress, options: argparse.Namespace) -> None:
    """Runs plans in memory, on all cores."""
    jobs = options.jobs or cores()
    names = options.scenario or list(SCENARIOS)
    print(f"generating plans from {len(names)} scenarios", flush=True)
    parts = [part for name in names for part in parts_of(name, options.quarter)]
    with progress.counting("in memory", sum(map(len, parts)), f"on {jobs} cores") as count:
        for outcome in run_in_parallel(jobs, run_plans, parts):
            count(outcome)


def run_on_real_cluster(progress: Progress, options: argparse.Namespace) -> None:
    """Runs plans against the real API server and the real controllers of the cluster."""
    wanted = chosen([name for name in options.scenario or REAL if name in REAL], options.real_plans)
    with progress.counting("real API server", len(wanted), f"{run_on_cluster.SIDE_BY_SIDE} at a time") as count:
        run_plans_on_cluster(wanted, count)


def run_plans_on_cluster(wanted: Sequence[Plan], told: Callable[[Outcome], None]) -> None:
    """Runs plans in a fresh cluster; `told` is called with each outcome."""

    async def run_all(cluster: Cluster) -> None:
        async with run_on_cluster.cluster_run(cluster) as cluster_run:
            async for outcome in cluster_run.run_plans(wanted):
                told(outcome)

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        cluster = Cluster(Path(folder), plain())
        try:
            cluster.up("simulated", STAGES)
            asyncio.run(run_all(cluster))
        finally:
            cluster.down()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parts_of(name: str, only_quarter: bool) -> list[list[Plan]]:
    """A scenario's plans, in parts that run in parallel. Plans of one part share their beginning."""
    found = plans(name, reference(name).trace)
    if only_quarter:
        found = quarter(found)
    by_seed: dict[int, list[Plan]] = {}
    for plan in found:
        by_seed.setdefault(plan.seed, []).append(plan)
    return [each[start : start + PART] for each in by_seed.values() for start in range(0, len(each), PART)]


def print_outcome(outcome: Outcome, oracles: Sequence[Oracle]) -> int:
    """Prints the faults that happened and the result of each oracle; returns the exit code."""
    print(outcome.plan)
    for event in outcome.happened:
        print(f"  {event}")
    for oracle in oracles:
        complaints = outcome.failures.get(oracle.__name__, [])
        print(f"{'✘' if complaints else '✔'} {oracle.__name__}: {oracle.__doc__}")
        for each in complaints:
            print(f"    {each}")
    return 0 if outcome.ok else 1


def run_and_print_on_cluster(plan: Plan) -> int:
    """Runs a plan against the real API server, and prints what happened."""
    outcomes: list[Outcome] = []
    run_plans_on_cluster([plan], outcomes.append)
    return print_outcome(outcomes[0], run_on_cluster.ORACLES)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--plan", metavar="JSON", help="run a single plan, and print what happened")
    parser.add_argument(
        "--scenario", action="append", choices=list(SCENARIOS), help="only plans of this scenario; may be repeated"
    )
    parser.add_argument("--quarter", action="store_true", help="every fourth plan")
    parser.add_argument("--only", choices=["world", "real"], help="only in memory, or only against the real API server")
    parser.add_argument(
        "--real-plans", type=int, default=REAL_PLANS, help="number of plans against the real API server"
    )
    parser.add_argument("--jobs", type=int, default=0, help="parallel processes; default: number of cores")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
