"""Facts that are assumed because only a cluster has them."""

import pytest

from frappe_operator.cli.declared import ASSUMED_VERSION, frappe_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version-15", "15"),
        ("v15.51.1", "15.51.1"),
        ("v16", "16"),
        ("15", "15"),
        ("v15.51.1-patched", "15.51.1"),
        ("develop", ASSUMED_VERSION),
        ("build-7", ASSUMED_VERSION),
        ("7th", ASSUMED_VERSION),
        ("v15rc1", ASSUMED_VERSION),
    ],
)
def test_the_version_is_read_from_frappe_version_if_it_has_one(text: str, version: str) -> None:
    assert frappe_version(text) == version
