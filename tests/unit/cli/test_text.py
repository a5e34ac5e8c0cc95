"""Printed YAML is readable for people and for every YAML parser."""

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from frappe_operator.cli import text
from frappe_operator.cli.source import Loader

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30) | st.from_regex(
    r"[-+.0-9_eE:xyYnN]{1,12}", fullmatch=True
)


@example({"a": "\x85", "b": "\u2028\n", "c": "\tx\n"})
@given(st.dictionaries(st.sampled_from("abc"), WORDS | st.integers() | st.booleans() | st.lists(WORDS)))
def test_what_is_printed_is_read_as_it_was(value: dict[str, object]) -> None:
    printed = text.document(value)
    assert yaml.safe_load(printed) == value
    node = yaml.compose(printed, Loader)
    assert node is not None
    for key, item in node.value:
        if isinstance(value[key.value], str):
            assert item.tag.endswith(":str"), "kubectl would take it for something else"


def test_lines_stand_as_they_are_and_comments_above() -> None:
    printed = text.document({"data": {"conf": "a {\n  b;\n}\n"}}, "one\ntwo")
    assert printed == "---\n# one\n# two\ndata:\n  conf: |\n    a {\n      b;\n    }\n"


def test_what_stands_twice_is_printed_twice() -> None:
    shared = {"x": 1}
    assert "*" not in text.document({"a": shared, "b": shared})
