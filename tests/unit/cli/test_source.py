"""YAML is read as kubectl reads it, and the line of every field is recorded."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from frappe_operator.cli.source import Document, Problem, Unreadable, read, spell


def only(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    (document,) = read(str(path))
    return document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("y", True),
        ("off", False),
        ("010", 8),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("2.0", 2),
        ("99999999999999999999", 1e20),
        ("0x_", "0x_"),
        ('"15"', "15"),
        ("15", 15),
        ("version-15", "version-15"),
        ("~", None),
        ("", None),
        ("!!str 15", "15"),
    ],
)
def test_a_plain_word_means_what_it_means_to_kubectl(tmp_path: Path, written: str, meant: Any) -> None:
    value = only(tmp_path, f"a: {written}\n").value["a"]
    assert value == meant
    assert type(value) is type(meant)
    assert not isinstance(value, datetime.date)


def test_every_field_has_its_line(tmp_path: Path) -> None:
    document = only(tmp_path, "kind: X\nspec:\n  apps:\n    - name: a\n    - name: b\n      source: c\n")
    assert document.line(("spec", "apps", 1, "source")) == 6
    assert document.line(("spec", "apps", 1, "gone")) == 5
    assert document.line(("status",)) == 1


def test_documents_of_a_file_are_separate_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# nothing\n---\nkind: A\n---\n---\nkind: B\n", encoding="utf-8")
    assert [(each.value["kind"], each.line(())) for each in read(str(path))] == [("A", 3), ("B", 6)]


def test_a_field_written_twice_is_a_problem_with_its_line(tmp_path: Path) -> None:
    document = only(tmp_path, "spec:\n  a: 1\n  b: 2\n  a: 3\n")
    assert [document.at(each) for each in document.problems] == [
        f'{document.file}:4: spec.a: duplicate field "spec.a" (remove one of them)'
    ]


def test_anchors_and_merges_are_what_they_stand_for(tmp_path: Path) -> None:
    document = only(tmp_path, "a: &x {cpu: 1, memory: 2}\nb: {<<: *x, cpu: 3}\nc: *x\n")
    assert document.value["b"] == {"cpu": 3, "memory": 2}
    assert document.value["c"] == {"cpu": 1, "memory": 2}
    assert document.problems == ()


@pytest.mark.parametrize("text", ["a: [1", "a: {b: }}", "\t- a", "a: b: c"])
def test_what_is_not_yaml_says_where(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable, match=r"a\.yaml:1: not YAML: "):
        only(tmp_path, text)


@pytest.mark.parametrize("text", ["[" * 8000, "a: &a [*a]", "a: &a {b: *a}"], ids=["deep", "list", "map"])
def test_what_has_no_end_is_unreadable(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable, match="nested too deeply, or an alias that refers to itself"):
        only(tmp_path, text)


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(Unreadable, match="more than 1000000 values"):
        only(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\ud83d\\ude00"'])
def test_unpaired_surrogates_are_unreadable_as_for_kubectl(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable, match=r"a\.yaml:1: not YAML: an unpaired surrogate character"):
        only(tmp_path, f"a: {text}\n")


def test_a_file_that_is_not_there_says_so() -> None:
    with pytest.raises(Unreadable, match=r"gone\.yaml: No such file"):
        read("gone.yaml")


def test_a_path_is_written_as_by_the_api_server() -> None:
    assert spell(("spec", "apps", 0, "name")) == "spec.apps[0].name"


def test_a_problem_is_a_line_that_editors_can_follow(tmp_path: Path) -> None:
    document = only(tmp_path, "spec:\n  a: 1\n")
    assert (
        document.at(Problem(("spec", "a"), "is wrong", "write 2")) == f"{document.file}:2: spec.a: is wrong (write 2)"
    )
    assert document.at(Problem((), "is wrong")) == f"{document.file}:1: is wrong"
