"""Writes, requests and CPU of the operator while nothing changes, for BENCH_STEADY_SECONDS (default: 600)."""

import os
import tempfile
import time
from pathlib import Path

from benchmark.figures import Measured
from benchmark.operator_process import operator
from benchmark.synthetic_server import synthetic

SITES = 10_000
SECONDS = float(os.environ.get("BENCH_STEADY_SECONDS") or 600)
CALM_SECONDS = 5.0
"""Pause between the last reconcile and the measurement."""
EXPECTED = ("watch ", "get Lease", "patch Lease")


def steady_state() -> list[Measured]:
    """steady_writes, steady_requests and steady_cpu_percent."""
    with (
        synthetic(sites=SITES) as server,
        server.kubeconfig() as kubeconfig,
        tempfile.TemporaryDirectory() as folder,
        operator(kubeconfig, Path(folder) / "log") as process,
    ):
        process.until_settled(FrappeSite=SITES)
        time.sleep(CALM_SECONDS)
        server.ask("forget")
        cpu, began, rss = process.usage.cpu, time.monotonic(), process.usage.rss
        time.sleep(SECONDS)
        seconds = time.monotonic() - began
        cpu = process.usage.cpu - cpu
        counts, children = server.ask("counts"), server.ask("objects")["children"]
        grown = process.usage.rss - rss
    asked = counts["asked"]
    unexpected = {name: count for name, count in asked.items() if not name.startswith(EXPECTED)}
    how = f"`frappe-operator run` as the leader, {SITES} sites, {seconds:.0f} s without a change"
    return [
        Measured("steady_writes", counts["writes"], how, {"children": children}),
        Measured("steady_requests", sum(unexpected.values()), how, {"unexpected": unexpected, "asked": asked}),
        Measured("steady_cpu_percent", 100 * cpu / seconds, how, {"cpu_s": round(cpu, 2), "grown_kib": grown // 1024}),
    ]
