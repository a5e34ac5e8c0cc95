"""The end of a program's output, fit for a condition: short, printable, without secrets and progress bars."""

import re

LONGEST = 300
MOST_LINES = 3

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_PROGRESS = re.compile(r"\[[\s=#.>*-]*\]\s*\d{1,3}\s*%|\b\d{1,3}%\s*[|\[]|^[\W_]*(?:\d{1,3}%)?[\W_]*$")
_PEM = re.compile(r"-----BEGIN [^\n]*?-----.*?(?:-----END [^\n]*?-----|\Z)", re.DOTALL)
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)\S*@")
_NAMED = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|credential)\w*|[\w-]*key|authorization|bearer)"
    r"""["'\\\])}]*\s*[:=].*""",
    re.IGNORECASE,
)
_FLAG = re.compile(r"(?<!\S)(--?[\w-]*(?:pass|pwd|secret|token|key)[\w-]*)[\s=].*|(?<!\S)(-p)\S+", re.IGNORECASE)
_SPOKEN = re.compile(
    r"""(identified\s+(?:by|via|with)|bearer|pass(?:word|wd|phrase)(?=\s+["'])|token(?=\s+["']))\s+.*""", re.IGNORECASE
)


def redacted(line: str) -> str:
    """A line with `***` in place of whatever may be a secret: rather a word too much than one too few."""
    line = _USERINFO.sub(r"\1***@", line)
    for pattern in (_FLAG, _SPOKEN):
        line = pattern.sub(lambda match: f"{match[match.lastindex or 0]} ***", line)
    return _NAMED.sub(r"\1=***", line)


def log_tail(text: str) -> str:
    """The last lines of an output that say something, at most LONGEST characters; empty when none does."""
    text = _PEM.sub("***", _ANSI.sub("", text))
    # A progress bar redraws itself: of its line counts what was drawn last.
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    telling = [line for each in lines if (line := _CONTROL.sub("", each).strip()) and not _PROGRESS.search(line)]
    words = " / ".join(redacted(line) for line in telling[-MOST_LINES:])
    return words if len(words) <= LONGEST else f"…{words[1 - LONGEST :]}"
