"""A cluster of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.node import obstacle
from sandbox.progress import plain


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The folder of a cluster with a node that the test starts itself, and that is removed afterwards."""
    if why := obstacle():
        pytest.skip(why)
    yield tmp_path / "cluster"
    Cluster(tmp_path / "cluster", plain()).down()
