"""How long no process reconciles after the leader ends."""

import signal
import statistics
import tempfile
import time
from pathlib import Path

from benchmark.figures import Measured
from benchmark.operator_process import operator
from benchmark.synthetic_server import synthetic

SITES = 1_000
TIMES = 3


def leading() -> list[Measured]:
    """failover_s and handover_s."""
    how = (
        f"two `frappe-operator run`, {SITES} sites, {{}} the leader; until the other has reconciled, median of {TIMES}"
    )
    waits = {number: [_change(number) for _ in range(TIMES)] for number in (signal.SIGKILL, signal.SIGTERM)}
    return [
        Measured(
            key, statistics.median(waits[number]), how.format(word), {"runs": [round(w, 2) for w in waits[number]]}
        )
        for key, number, word in (
            ("failover_s", signal.SIGKILL, "kill -9 of"),
            ("handover_s", signal.SIGTERM, "SIGTERM to"),
        )
    ]


def _change(number: signal.Signals) -> float:
    """Seconds from a signal to the leader until the standby's first reconcile."""
    with (
        synthetic(sites=SITES) as server,
        server.kubeconfig() as kubeconfig,
        tempfile.TemporaryDirectory() as folder,
        operator(kubeconfig, Path(folder) / "leader") as leader,
    ):
        leader.until_settled(FrappeSite=SITES)
        with operator(kubeconfig, Path(folder) / "standby") as standby:
            standby.until_synced()
            # Only the standby reads the Lease: from its second read on it does nothing but wait.
            server.ask("forget")
            standby.until(lambda: server.ask("counts")["asked"].get("get Lease", 0) > 1, "a read of the Lease")
            assert standby.reconciled("FrappeSite") == 0
            began = time.monotonic()
            leader.process.send_signal(number)
            standby.until(lambda: standby.reconciled("FrappeSite") > 0, "the standby's reconcile", 0.01)
            return time.monotonic() - began
