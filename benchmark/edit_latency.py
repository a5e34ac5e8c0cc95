"""How long a user's edit takes to arrive: during a full resync, and beside a namespace whose writes all fail."""

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.figures import Measured
from benchmark.operator_process import operator
from benchmark.synthetic_server import SyntheticServer, synthetic
from benchmark.templates import NAMESPACE_OF, SITE_OF

SITES, SITES_PER_BENCH = 10_000, 100
EVERY_SECONDS = 0.05
MOST_EDITS = 400
FAILING, QUIET = 5_000, 20
FAILING_BENCHES = FAILING // SITES_PER_BENCH
QUIET_EDITS = 200
QUIET_EVERY_SECONDS = 0.05
TIMES = 3


class Edits:
    """Users who change the replicas of one site after the other."""

    def __init__(self, server: SyntheticServer, bench_of: dict[int, int]) -> None:
        """`bench_of`: the bench of each site that is edited, by number."""
        self._server = server
        self._bench_of = bench_of
        self._since = server.ask("counts")["writes"]
        self._made: list[tuple[float, str]] = []
        self._replicas = itertools.cycle((2, 3))

    def make(self, site: int) -> None:
        """Edits a site."""
        namespace, name = NAMESPACE_OF.format(self._bench_of[site]), SITE_OF.format(site)
        replicas = next(self._replicas) + (2 if len(self._made) // len(self._bench_of) % 2 else 0)
        patch = {"spec": {"componentReplicas": {"gunicorn": replicas}}}
        at = self._server.ask("edit", namespace=namespace, name=name, patch=patch)
        self._made.append((at, f"Deployment {namespace}/{name}-gunicorn"))

    def waits(self, within: float = 60.0) -> list[float]:
        """For each edit, the milliseconds until the Deployment it is about was written. Waits for all of them."""
        ends = time.monotonic() + within
        while True:
            written = [(at, where) for at, _, where in self._server.ask("writes", since=self._since)]
            waits = [_first(written, at, where) for at, where in self._made]
            if None not in waits:
                return [wait for wait in waits if wait is not None]
            if time.monotonic() > ends:
                raise TimeoutError(f"{waits.count(None)} of {len(waits)} edits were never written")
            time.sleep(0.5)


def _first(written: list[tuple[float, str]], at: float, where: str) -> float | None:
    return next((1000 * (then - at) for then, what in written if then >= at and what == where), None)


def p99(waits: list[float]) -> float:
    """The 99th percentile."""
    return sorted(waits)[int(0.99 * (len(waits) - 1))]


def resync() -> list[Measured]:
    """edit_p99_ms: edits from the first reconcile after a start until every site was reconciled."""
    order = random.Random(1).sample(range(SITES), MOST_EDITS)  # noqa: S311 - the same at each run
    with (
        synthetic(sites=SITES) as server,
        server.kubeconfig() as kubeconfig,
        tempfile.TemporaryDirectory() as folder,
        operator(kubeconfig, Path(folder) / "log") as process,
    ):
        edits = Edits(server, {site: site // SITES_PER_BENCH for site in order})
        process.until(lambda: process.reconciled("FrappeSite") > 0, "the first reconcile", 0.1)
        for site in order:
            edits.make(site)
            time.sleep(EVERY_SECONDS)
            if process.reconciled("FrappeSite") >= SITES:
                break
        else:
            assert process.reconciled("FrappeSite") < 2 * SITES
        waits = edits.waits()
    return [
        Measured(
            "edit_p99_ms",
            p99(waits),
            f"`frappe-operator run` just started, {SITES} sites being reconciled; the site's Deployment gets other "
            "replicas; both times taken in the server",
            {"edits": len(waits), "median_ms": round(statistics.median(waits), 1), "longest_ms": round(max(waits), 1)},
        )
    ]


def noisy() -> list[Measured]:
    """noisy_tenant_ratio: edits with and without another namespace in which every site fails."""
    neighbour = NAMESPACE_OF.format(0)
    rounds: list[dict[str, Any]] = []
    with (
        synthetic(sites=[SITES_PER_BENCH] * FAILING_BENCHES + [QUIET], tenants=[0] * FAILING_BENCHES) as server,
        server.kubeconfig() as kubeconfig,
        tempfile.TemporaryDirectory() as folder,
        operator(kubeconfig, Path(folder) / "log") as process,
    ):
        process.until_settled(FrappeSite=FAILING + QUIET)
        for _ in range(TIMES):
            without = _edited(server)
            server.ask("fail", namespace=neighbour)
            before = server.ask("counts")["writes"]
            server.ask("flip", every=1, namespace=neighbour, kind="Deployment", ending="-gunicorn")
            beside = _edited(server)
            refused = server.ask("counts")["writes"] - before
            rounds.append({"without_ms": p99(without), "beside_ms": p99(beside), "refused": refused})
            server.ask("fail", namespace="")
            # What has failed often is retried late; an edit triggers a reconcile at once.
            server.ask("touch", namespace=neighbour, kind="FrappeSite")
            process.until(lambda: _mended(server, neighbour), "the drift of the failing namespace to be repaired")
    ratios = [each["beside_ms"] / each["without_ms"] for each in rounds]
    return [
        Measured(
            "noisy_tenant_ratio",
            statistics.median(ratios),
            f"{QUIET_EDITS} edits in a namespace of {QUIET} sites, p99, beside {FAILING} sites of another whose "
            f"every write is answered with 500, and without; median of {TIMES} rounds in one run",
            {
                "ratios": [round(each, 2) for each in ratios],
                "rounds": [{name: round(value, 1) for name, value in each.items()} for each in rounds],
            },
        )
    ]


def _edited(server: SyntheticServer) -> list[float]:
    sites = range(FAILING, FAILING + QUIET)
    edits = Edits(server, dict.fromkeys(sites, FAILING_BENCHES))
    for site in _in_turn(sites, QUIET_EDITS):
        edits.make(site)
        time.sleep(QUIET_EVERY_SECONDS)
    return edits.waits()


def _in_turn(sites: range, count: int) -> Iterator[int]:
    return itertools.islice(itertools.cycle(sites), count)


def _mended(server: SyntheticServer, namespace: str) -> bool:
    return not server.ask("flipped", namespace=namespace)
