"""A wheel is fetched once, whole and only if it is the locked one."""

import hashlib
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from sandbox import wheels
from sandbox.progress import plain

pytestmark = pytest.mark.skipif(not find_spec("pip"), reason="the wheel of this test is served from a folder to pip")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "index" / "oar-1.0-py3-none-any.whl"
    path.parent.mkdir()
    about = "oar-1.0.dist-info"
    with ZipFile(path, "w") as packed:
        packed.writestr("oar/_bin/oar", "row")
        packed.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: oar\nVersion: 1.0\n")
        packed.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{about}/RECORD", "")
    return path


def fetch(wheel: Path, digest: str) -> tuple[Path, str]:
    """The folder that was made, and what was said."""
    locked = wheel.parent / "requirements.txt"
    locked.write_text(f"oar==1.0 --hash=sha256:{digest}\n")
    target, said = wheel.parent.parent / "cache" / "oar-1.0", StringIO()
    found = ("--no-index", f"--find-links={wheel.parent}", "--require-hashes", f"--requirement={locked}")
    wheels.fetch(target, "oar 1.0", plain(said), *found)
    return target, said.getvalue()


def test_a_wheel_is_fetched_once(wheel: Path):
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    target, said = fetch(wheel, digest)
    assert (target / "oar" / "_bin" / "oar").read_text() == "row"
    assert "Fetching oar 1.0" in said
    wheel.unlink()
    assert fetch(wheel, digest) == (target, "")


def test_a_wheel_that_is_not_the_locked_one_is_refused_and_leaves_nothing_to_be_found(wheel: Path):
    with pytest.raises(wheels.WheelError, match="DO NOT MATCH"):
        fetch(wheel, "0" * 64)
    assert not (wheel.parent.parent / "cache" / "oar-1.0").exists()
