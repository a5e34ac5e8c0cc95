"""Ends the worlds of each test; provides the `server` fixture."""

from collections.abc import Iterator

import pytest

from fakecluster.world import OPEN_WORLDS
from tests.world.either_server import server

__all__ = ["server"]


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    for world in list(OPEN_WORLDS):
        world.end()
