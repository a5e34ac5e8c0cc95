"""What a start of the operator costs when everything exists without drift, by number of sites."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmark.figures import Measured
from benchmark.operator_process import operator
from benchmark.synthetic_server import SyntheticServer, synthetic

PROMISED_SITES = 5_000
"""They have 80,000 children, the number that the bound is about."""
CURVE = (100, 1_000, 10_000)
FLIPPED_EVERY = 499


def start(server: SyntheticServer) -> dict[str, Any]:
    """Starts the operator's process and waits until it has reconciled everything: what that took, and its requests."""
    objects = server.ask("objects")
    server.ask("forget")
    with tempfile.TemporaryDirectory() as folder, server.kubeconfig() as kubeconfig:
        began = time.monotonic()
        with operator(kubeconfig, Path(folder) / "log") as process:
            process.until_synced()
            known = {"known_cpu_s": process.usage.cpu, "known_s": round(time.monotonic() - began, 1)}
            process.until_settled(FrappeSite=objects["FrappeSite"], FrappeBench=objects["FrappeBench"])
            took = {
                "sites": objects["FrappeSite"],
                "benches": objects["FrappeBench"],
                "children": objects["children"],
                "pods": objects["Pod"],
                "cpu_s": process.usage.cpu,
                "seconds": round(time.monotonic() - began, 1),
                "rss_mib": process.usage.rss / 2**20,
                "peak_rss_mib": process.usage.peak / 2**20,
            }
    asked = {name: count for name, count in server.ask("counts")["asked"].items() if not name.endswith("Lease")}
    return {**took, **known, "requests": asked, "writes": len(server.ask("writes", since=0))}


def starting() -> list[Measured]:
    """cold_start_*, bytes_per_child and cost_curve: starts with 80,000 children and with 100 to 10,000 sites."""
    with synthetic(sites=PROMISED_SITES) as server:
        promised = start(server)
        flipped = set(server.ask("flip", every=FLIPPED_EVERY))
        after = start(server)
        written = {where for _, _, where in server.ask("writes", since=0) if _is_child(where)}
        again = start(server)
    curve = []
    for sites in CURVE:
        with synthetic(sites=sites) as server:
            curve.append(start(server))
    first, middle, last = curve
    missed = flipped ^ written
    how = "`frappe-operator run` from exec to the last reconcile, synthetic API server, plain HTTP, one core"
    return [
        Measured("cold_start_cpu_s", promised["cpu_s"], how, promised),
        Measured("cold_start_peak_rss_mib", promised["peak_rss_mib"], how),
        Measured("cold_start_10k_cpu_s", last["cpu_s"], how, last),
        Measured("cold_start_10k_peak_rss_mib", last["peak_rss_mib"], how),
        Measured("cold_start_writes", promised["writes"] + last["writes"], how),
        Measured(
            "cold_start_missed",
            len(missed),
            "one field was changed in each of `flipped` children; the next start wrote these and no others",
            {
                "flipped": len(flipped),
                "written": len(written),
                "writes": after["writes"],
                "then": again["writes"],
                "for_example": sorted(missed)[:5],
            },
        ),
        Measured(
            "bytes_per_child",
            _slope(middle, last),
            "slope of the process's resident memory after a start, between 1,000 and 10,000 sites; includes a child's "
            "share of its site, its bench and everything else in memory",
            {
                "sites": [middle["sites"], last["sites"]],
                "children": [middle["children"], last["children"]],
            },
        ),
        Measured(
            "cost_curve",
            (last["cpu_s"] / last["sites"]) / (middle["cpu_s"] / middle["sites"]),
            "CPU of a start per site",
            {
                str(each["sites"]): {name: round(each[name], 2) for name in CURVE_SHOWN}
                for each in (first, middle, last)
            },
        ),
    ]


def _slope(few: dict[str, Any], many: dict[str, Any]) -> float:
    return float((many["rss_mib"] - few["rss_mib"]) * 2**20 / (many["children"] - few["children"]))


CURVE_SHOWN = ("children", "cpu_s", "rss_mib", "peak_rss_mib")


def _is_child(where: str) -> bool:
    """Not a status, and no Event about one."""
    return not where.startswith(("Event ", "FrappeSite ", "FrappeBench "))


if __name__ == "__main__":
    import sys

    with synthetic(sites=int(sys.argv[1])) as server:
        print(json.dumps(start(server)))
