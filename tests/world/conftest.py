"""Worlds end with the test that began them."""

from collections.abc import Iterator

import pytest

from fakecluster.world import OPEN


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    for world in list(OPEN):
        world.end()
