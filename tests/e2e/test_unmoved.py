"""A settled bench and site are not written to, while the operator works on others and is killed twenty times.

Told by the API server's own audit log. They have been settled since the first of the end-to-end tests; this module is
the last, so that little is left to wait for.
"""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sandbox.cluster import Cluster
from sandbox.deadline import DeadlineExceededError, until
from tests.e2e.conftest import Settled

QUIET_SECONDS = 300.0
USER = "system:serviceaccount:frappe-operator:frappe-operator"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def test_five_minutes_and_more_without_a_write(settled: Settled, node_cluster: Cluster) -> None:
    def writes() -> Counter[str]:
        return Counter(
            f"{entry['verb']} {entry['objectRef']['resource']} {entry['objectRef'].get('name', '')}"
            for entry in _since(node_cluster.state.audit_log, settled.log_size)
            if _is_write(entry, settled.town.namespace)
        )

    left = QUIET_SECONDS - (time.monotonic() - settled.since)
    if left > 0:
        try:
            until(lambda: bool(writes()), left, "a write")
        except DeadlineExceededError:
            return
    assert writes() == {}


def test_the_operator_was_never_refused_anything(settled: Settled, node_cluster: Cluster) -> None:
    refused = [
        f"{entry['verb']} {entry['requestURI']}"
        for entry in _since(node_cluster.state.audit_log, 0)
        if entry["user"]["username"] == USER and entry["annotations"]["authorization.k8s.io/decision"] == "forbid"
    ]
    assert refused == []


def _since(log: Path, start: int) -> list[dict[str, Any]]:
    with log.open("rb") as file:
        file.seek(start)
        return [json.loads(line) for line in file if line.endswith(b"\n")]


def _is_write(entry: dict[str, Any], namespace: str) -> bool:
    # Other tests' namespaces change all the time; the Lease is in the operator's own.
    ours = entry["user"]["username"] == USER and entry["objectRef"].get("namespace") == namespace
    return ours and entry["verb"] in WRITES
