"""One cluster with one operator for all end-to-end tests; each module has a namespace of its own."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox import images
from sandbox.cluster import Cluster
from sandbox.deadline import DeadlineExceededError, until
from sandbox.installation import Kubectl, Operator
from sandbox.progress import plain
from tests.e2e import audit_log
from tests.e2e.namespace import Namespace


@pytest.fixture(scope="session")
def operator(node_cluster: Cluster) -> Iterator[Operator]:
    for tar in images.build(plain()):
        node_cluster.node.load_image(tar)
    operator = Operator(Kubectl.of(node_cluster), node_cluster.state)
    operator.install()
    operator.start()
    yield operator
    operator.stop()


LAST_WORDS_SECONDS = 5.0


class Settled(NamedTuple):
    """A bench and a site that have settled and that no test changes."""

    namespace: Namespace
    since: float
    """`time.monotonic()` when they were settled."""
    log_size: int
    """Bytes of the API server's audit log then."""


@pytest.fixture(scope="session")
def settled(node_cluster: Cluster, operator: Operator) -> Settled:
    namespace = Namespace(Kubectl.of(node_cluster), operator, "settled")
    namespace.make()
    namespace.bench("orchard")
    namespace.site("rowan", "orchard", "rowan.example.com")
    namespace.until_ready("frappesite", "rowan")
    namespace.until(lambda: _has_templates(namespace.get("frappebench", "orchard")), "the template of orchard")
    log = node_cluster.state.audit_log
    while True:
        settled = Settled(namespace, time.monotonic(), log.stat().st_size)
        # An Event follows the status it speaks of.
        if not _speaks(log, settled.log_size):
            return settled


def _has_templates(bench: dict[str, Any]) -> bool:
    """Whether all templates of a bench are made, which happens in the background."""
    templates = bench.get("status", {}).get("templates", [])
    return bool(templates) and all(each["state"] == "Ready" for each in templates)


def _speaks(log: Path, start: int) -> bool:
    """Whether the operator writes to the settled namespace within a few seconds."""
    try:
        until(lambda: bool(audit_log.writes(log, start, "settled")), LAST_WORDS_SECONDS, "a word")
    except DeadlineExceededError:
        return False
    return True


@pytest.fixture(scope="module")
def namespace(
    request: pytest.FixtureRequest, node_cluster: Cluster, operator: Operator, settled: Settled
) -> Iterator[Namespace]:
    name = request.module.__name__.rsplit("test_", 1)[1].replace("_", "-")
    namespace = Namespace(Kubectl.of(node_cluster), operator, name)
    namespace.make()
    yield namespace
    namespace.kubectl("delete", "namespace", name, "--wait=false")
