"""What is assumed where only a cluster could tell."""

import pytest

from frappe_operator.cli.declared import NEWEST, frappe_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version-15", "15"),
        ("v15.51.1", "15.51.1"),
        ("v16", "16"),
        ("15", "15"),
        ("v15.51.1-patched", "15.51.1"),
        ("develop", NEWEST),
        ("build-7", NEWEST),
        ("7th", NEWEST),
        ("v15rc1", NEWEST),
    ],
)
def test_the_version_is_read_off_frappe_version_where_it_is_one(text: str, version: str) -> None:
    assert frappe_version(text) == version
