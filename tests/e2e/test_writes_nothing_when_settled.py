"""A settled bench and site are not written to, while the operator works on others and is killed twenty times.

They have been settled since the first of the end-to-end tests; this module is the last by name, so that little is
left to wait.
"""

import time

import pytest

from sandbox.cluster import Cluster
from sandbox.deadline import DeadlineExceededError, until
from tests.e2e import audit_log
from tests.e2e.conftest import Settled

pytestmark = [pytest.mark.node]

QUIET_SECONDS = 300.0


def test_five_minutes_and_more_without_a_write(settled: Settled, node_cluster: Cluster) -> None:
    def writes() -> dict[str, int]:
        return audit_log.writes(node_cluster.state.audit_log, settled.log_size, settled.namespace.name)

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
        for entry in audit_log.since(node_cluster.state.audit_log, 0)
        if entry["annotations"]["authorization.k8s.io/decision"] == "forbid"
    ]
    assert refused == []
