"""Every link in the documentation leads to a file of the repository, and to a heading that it has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """The Markdown files of the repository."""
    folders = ("docs", "examples", "sandbox", "tests", "benchmark", "demo", "deploy")
    return sorted([*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts derive them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[a](page.md#one-two) [b](#one) [c](other.md) [d](https://example.com) `[e](f)`\n")
    assert list(broken(page)) == ["#one", "other.md"]


SPAN = re.compile(r"`([^`\s]+)`")
PATH = re.compile(r"(?:[\w-]+/)+[\w.-]+\.(?:py|yaml|md|json|toml|js|sql)|(?:[\w-]+/)+")
ROOTS = (ROOT, ROOT / "src" / "frappe_operator")
OWN = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "sandbox" / "README.md"]
ELSEWHERE = ("sites/", "assets/", "logs/", "config/", "build/")
"""Folders of a bench, and of what is built."""


@pytest.mark.parametrize("page", OWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    named = {span for span in SPAN.findall(page.read_text(encoding="utf-8")) if PATH.fullmatch(span)}
    assert [
        each
        for each in sorted(named)
        if not each.startswith(ELSEWHERE) and not any((root / each).exists() for root in (*ROOTS, page.parent))
    ] == []
