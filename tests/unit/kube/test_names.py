"""Names of children: short enough for every use, and unique."""

import re

from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.kube.names import LIMIT, child, digest

LONG = st.text("ab-9", min_size=40, max_size=61).map(lambda middle: f"a{middle}z")
"""Names that must be cut. Without a minimum size, hypothesis rarely generates one."""
OWNERS = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True) | LONG
PARTS = st.sampled_from(["nginx", "worker-default", "db-connection", "image-0123456789ab", "drop-database"])
LIMITS = st.sampled_from([LIMIT, 52])


@given(OWNERS, PARTS, LIMITS)
def test_a_childs_name_is_a_dns_label_within_its_limit(owner: str, part: str, limit: int) -> None:
    name = child(owner, part, limit)
    assert len(name) <= limit
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert name.endswith(part)


@given(OWNERS, OWNERS, PARTS)
def test_two_owners_never_share_a_child(owner: str, other: str, part: str) -> None:
    assert (child(owner, part) == child(other, part)) == (owner == other)


@given(LONG, st.sampled_from("abc"), PARTS)
def test_two_owners_that_differ_where_their_names_are_cut_do_not_either(owner: str, last: str, part: str) -> None:
    other = owner[:-1] + last
    assert child(owner, part) != child(other, part)


def test_a_short_name_is_the_plain_one_and_a_long_one_keeps_what_fits() -> None:
    assert child("pier", "nginx") == "pier-nginx"
    long = "a" * 63
    assert child(long, "nginx") == f"{'a' * 48}-{digest(long + '-nginx')}-nginx"


def test_a_cut_does_not_end_in_a_dash() -> None:
    assert "--" not in child("a" * 47 + "-" + "b" * 15, "nginx")


@given(st.text(), st.integers(1, 64))
def test_a_digest_has_its_length_whatever_it_is_of(text: str, length: int) -> None:
    assert re.fullmatch(f"[0-9a-f]{{{length}}}", digest(text, length))
