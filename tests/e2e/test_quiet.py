"""A settled cluster is not written to: told by the API server's own audit log."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from sandbox.cluster import Cluster
from sandbox.deadline import DeadlineExceededError, until
from tests.e2e.town import Town

QUIET_SECONDS = 300.0
USER = "system:serviceaccount:frappe-operator:frappe-operator"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def test_five_minutes_without_a_write(town: Town, node_cluster: Cluster) -> None:
    town.bench("orchard")
    town.site("rowan", "orchard", "rowan.example.com")
    town.until_ready("frappesite", "rowan")
    log = node_cluster.state.audit_log
    start = log.stat().st_size

    def writes() -> Counter[str]:
        return Counter(
            f"{entry['verb']} {entry['objectRef']['resource']}"
            for entry in _since(log, start)
            if _is_write(entry, town.namespace)
        )

    try:
        until(lambda: bool(writes()), QUIET_SECONDS, "a write")
    except DeadlineExceededError:
        return
    raise AssertionError(f"the operator wrote: {writes()}")


def test_the_operator_was_never_refused_anything(town: Town, node_cluster: Cluster) -> None:
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
    # Other tests' namespaces are being taken apart meanwhile; the Lease is in the operator's own.
    ours = entry["user"]["username"] == USER and entry["objectRef"].get("namespace") == namespace
    return ours and entry["verb"] in WRITES
