"""What all tests share: the clusters of the sandbox, and an order in which few wait for one that is being built."""

import asyncio
import os
from collections.abc import Callable

import pytest
import uvloop
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about the code: its first example takes a second where hypothesis first makes its
# tables of characters.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A change is judged by the same examples each time; whoever works on it gets new ones with each run.
settings.register_profile("repeatable", settings.get_profile("new"), derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "new")

pytest_plugins = ["sandbox.pytest_plugin"]

CLUSTERS = {"control_plane", "simulated_cluster"}
NODE = {"e2e", "sandbox"}
"""Folders with tests that need a real node: the Makefile names them."""
BUILDERS = {"sandbox", "standin"}
"""Folders whose tests build programs or images, or wait for those who do."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that users have, for tests that really go out."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The real node's tests first, which take longest and mostly wait; then those that need nothing; then the rest."""
    for item in items:
        if item.get_closest_marker("node") and not NODE & set(item.path.parts):
            raise pytest.UsageError(
                f"{item.nodeid} needs a node: make test looks for such tests in {sorted(NODE)} only"
            )
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    fixtures = set(getattr(item, "fixturenames", ()))
    if "node_cluster" in fixtures:
        return 0
    return 2 if fixtures & CLUSTERS or BUILDERS & set(item.path.parts) else 1
