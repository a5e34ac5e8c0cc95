"""One cluster with one operator for all end-to-end tests; each module has a namespace of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import images
from sandbox.cluster import Cluster
from sandbox.installation import Kubectl, Operator
from sandbox.progress import plain
from tests.e2e.town import Town


@pytest.fixture(scope="session")
def operator(node_cluster: Cluster) -> Iterator[Operator]:
    for tar in images.build(plain()):
        node_cluster.node.load_image(tar)
    operator = Operator(Kubectl.of(node_cluster), node_cluster.state)
    operator.install()
    operator.start()
    yield operator
    operator.stop()


@pytest.fixture(scope="module")
def town(request: pytest.FixtureRequest, node_cluster: Cluster, operator: Operator) -> Iterator[Town]:
    name = request.module.__name__.rsplit("test_", 1)[1].replace("_", "-")
    town = Town(Kubectl.of(node_cluster), operator, name)
    town.make()
    yield town
    town.kubectl("delete", "namespace", name, "--wait=false")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.node)
            # One after the other: they share two cores and one node.
            item.add_marker(pytest.mark.xdist_group("node"))
