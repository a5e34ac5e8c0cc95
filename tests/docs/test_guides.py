"""Every block of commands in the guides for upgrades and apps is run by a test on the node."""

import re

import pytest

from tests.e2e import guides


@pytest.mark.parametrize("guide", guides.RUN)
def test_every_command_is_run(guide: str) -> None:
    words, blocks = guides.RUN[guide], guides.blocks(guide)
    assert [[word for word in words if word in block] for block in blocks] == [[word] for word in words]
    tests = "".join(path.read_text(encoding="utf-8") for path in (guides.DOCS.parent / "tests/e2e").glob("test_*.py"))
    run = re.findall(r"guides\.run\(\w+, guides\.(\w+), guides\.(\w+)", tests)
    assert [
        word for word in words if (guide, word) not in {tuple(vars(guides)[each] for each in one) for one in run}
    ] == []
