"""The end of the output of a program as text for a condition: short, printable, without secrets and progress bars."""

import re

MAX_LENGTH = 300
MAX_LINES = 3

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
_PHRASE = re.compile(
    r"""(identified\s+(?:by|via|with)|bearer|pass(?:word|wd|phrase)(?=\s+["'])|token(?=\s+["']))\s+.*""", re.IGNORECASE
)


def redacted(line: str) -> str:
    """A line with `***` in place of everything that may be a secret; in doubt, more is replaced."""
    line = _USERINFO.sub(r"\1***@", line)
    for pattern in (_FLAG, _PHRASE):
        line = pattern.sub(lambda match: f"{match[match.lastindex or 0]} ***", line)
    return _NAMED.sub(r"\1=***", line)


def log_tail(text: str) -> str:
    """The last lines of an output that contain text, at most MAX_LENGTH characters; empty without such lines."""
    text = _PEM.sub("***", _ANSI.sub("", text))
    # A progress bar overwrites its line: only the last text of the line counts.
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    meaningful = [line for each in lines if (line := _CONTROL.sub("", each).strip()) and not _PROGRESS.search(line)]
    tail = " / ".join(redacted(line) for line in meaningful[-MAX_LINES:])
    return tail if len(tail) <= MAX_LENGTH else f"…{tail[1 - MAX_LENGTH :]}"
