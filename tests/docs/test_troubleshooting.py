"""The troubleshooting page has every reason, with an explanation and with all its messages."""

import ast
import re
from collections.abc import Iterator

import pytest

from scripts import messages, troubleshooting

REASONS = messages.reasons()
FOUND = messages.collect()


def test_every_reason_is_explained_and_nothing_else_is() -> None:
    assert set(troubleshooting.EXPLANATIONS) == set(REASONS.values())


@pytest.mark.parametrize("reason", sorted(REASONS.values()))
def test_a_reason_has_a_message(reason: str) -> None:
    assert [each for each in FOUND.messages if each.reason == reason]


def test_every_message_can_be_read() -> None:
    assert FOUND.unreadable == [], "write the message where its reason is, so that scripts/messages.py finds it"


def test_a_message_is_text_with_placeholders() -> None:
    assert not [each for each in FOUND.messages if re.search(r"[{}]|<>", each.text)]


def test_reasons_of_the_runner_are_reasons() -> None:
    """The runner imports nothing of the operator, so its reasons are text."""
    reported = set(_reported())
    assert "SecretInvalid" in reported
    assert reported - set(REASONS.values()) == set()


def _reported() -> Iterator[str]:
    for path in (messages.SOURCE / "runner").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Blocked" | "Retry"), args=[ast.Constant(value=str(reason)), *_]):
                    yield reason
                case ast.Call(func=ast.Attribute(attr="write"), args=[_, ast.Constant(value=str(reason)), *_]):
                    if reason:
                        yield reason


MODULE = """
MOST = 5
def refused(name):
    said = f"{name} is refused"
    if name:
        said += " again"
    return Reason.REJECTED, said
def waits(site, ready):
    why = "its pod is missing" if ready else of(site)
    return Verdict(False, Reason.WAITING, f"{site.metadata.name} waits, {why}: {MOST} times")
def of(site):
    return f"its volume {site.volume} is full"
def hidden(site):
    return Verdict(False, Reason.WAITING, table[site])
"""


@pytest.fixture
def found(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> messages.Found:
    """The messages that are found in MODULE."""
    package = tmp_path_factory.mktemp("src") / "src" / "operator"
    package.mkdir(parents=True)
    (package / "reasons.py").write_text('class Reason:\n    WAITING = "Waiting"\n    REJECTED = "Rejected"\n')
    (package / "site.py").write_text(MODULE)
    monkeypatch.setattr(messages, "SOURCE", package)
    return messages.collect()


def test_messages_are_followed_to_where_they_are_written(found: messages.Found) -> None:
    assert {(each.reason, each.text) for each in found.messages} == {
        ("Rejected", "<name> is refused"),
        ("Rejected", "<name> is refused again"),
        ("Waiting", "<site> waits, its pod is missing: 5 times"),
        ("Waiting", "<site> waits, its volume <volume> is full: 5 times"),
    }


def test_a_message_that_cannot_be_read_is_reported(found: messages.Found) -> None:
    assert [each.rpartition(": ")[2] for each in found.unreadable] == ["table[site]"]
