"""The spelling of host names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.model import host
from frappe_operator.model.host import in_punycode, in_unicode, normalise, overlap, punycode_problem, shown


@given(st.from_regex(r"[A-Za-z0-9.-]{1,40}", fullmatch=True))
def test_one_host_has_one_spelling(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text) == normalise(text.upper()) == normalise(text + ".")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a.x.net", "*.x.net", True),
        ("*.x.net", "*.x.net", True),
        ("x.net", "*.x.net", False),
        ("b.a.x.net", "*.x.net", False),
        ("*.a.x.net", "*.x.net", False),
        ("a.x.net", "b.x.net", False),
        ("a.y.x.net", "*.x.net", False),
    ],
)
def test_a_wildcard_stands_for_one_label(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) == overlap(other, one) == expected
    if expected:
        assert overlap(host.example(one), other)


# The last one is spelled otherwise in the standard of 2003, in which the sharp s is two letters.
BOTH = [
    ("xn--bcher-kva.example", "b\u00fccher.example"),
    ("*.xn--bcher-kva.example", "*.b\u00fccher.example"),
    ("www.xn--fsqu00a.xn--0zwm56d", "www.\u4f8b\u5b50.\u6d4b\u8bd5"),
    ("xn--strae-oqa.example", "stra\u00dfe.example"),
]


@pytest.mark.parametrize(("ascii_name", "unicode_name"), BOTH)
def test_internationalised_names_are_shown_in_both_spellings(ascii_name: str, unicode_name: str) -> None:
    assert in_unicode(ascii_name) == unicode_name
    assert in_punycode(unicode_name) == ascii_name
    assert shown(ascii_name) == f"{ascii_name} ({unicode_name})"
    assert punycode_problem(ascii_name) == ""


def test_what_is_written_with_capitals_or_wide_dots_is_found_as_well() -> None:
    assert in_punycode("B\u00dcCHER\u3002Example") == "xn--bcher-kva.example"


@pytest.mark.parametrize("name", ["shop.example.com", "r3---sn-a.example", "*.example.com", "a"])
def test_other_names_have_one_spelling(name: str) -> None:
    assert (in_unicode(name), shown(name), punycode_problem(name)) == ("", name, "")


# Nothing behind the mark, not decodable, out of range, plain ASCII, not canonical, a hidden direction, not permitted.
@pytest.mark.parametrize(
    "label", ["xn--", "xn--a", "xn--99999999", "xn--abc-", "xn--bcher-kva0", "xn--a-0hna", "xn--a-ecp", "xn--0"]
)
def test_what_is_no_punycode_is_a_problem_and_never_shown(label: str) -> None:
    name = f"www.{label}.example"
    assert punycode_problem(name).startswith(f"{label} in {name} is not the punycode of a name")
    assert (in_unicode(name), shown(name)) == ("", name)


@given(st.from_regex(r"xn--[a-z0-9-]{0,59}", fullmatch=True))
def test_any_label_is_shown_as_it_is_or_as_visible_text(label: str) -> None:
    found = in_unicode(label)
    assert bool(found) != bool(punycode_problem(label))
    assert not found or (found.isprintable() and in_punycode(found) == label)


@given(st.text(max_size=30))
def test_what_has_no_punycode_gets_none(text: str) -> None:
    found = in_punycode(text)
    assert found.isascii()
