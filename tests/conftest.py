"""What all tests share: the clusters of the sandbox, and an order in which few wait for one that is being built."""

import os

import pytest
from hypothesis import settings

# A change is judged by the same examples each time; whoever works on it gets new ones with each run.
settings.register_profile("repeatable", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("repeatable")

pytest_plugins = ["sandbox.pytest_plugin"]

CLUSTERS = {"control_plane", "simulated_cluster"}
BUILDERS = {"sandbox", "standin"}
"""Folders whose tests build programs or images, or wait for those who do."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The real node's tests first, which take longest and mostly wait; then those that need nothing; then the rest."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    fixtures = set(getattr(item, "fixturenames", ()))
    if "node_cluster" in fixtures:
        return 0
    return 2 if fixtures & CLUSTERS or BUILDERS & set(item.path.parts) else 1
