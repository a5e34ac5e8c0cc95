"""The last word of a command: one JSON object in the container's termination log.

`{"ok": bool, "reason": "CamelCase", "message": "a sentence to act on", "blocked": bool, …}`, at most 4096 bytes
(the kubelet cuts what is longer), never a secret. Lists and mappings that a command adds stay whole; a message that
is too long is cut.
"""

import json
from typing import Any

from . import paths
from .credentials import redacted
from .log import say

LIMIT = 4096
"""Bytes."""


def write(ok: bool, reason: str, message: str, *, blocked: bool = False, facts: dict[str, Any] | None = None) -> None:
    """Leaves the report. Without a termination log (outside of Kubernetes) the log line has to do."""
    message = redacted(message)
    say(f"{reason}: {message}")
    body = {"ok": ok, "reason": reason, "message": message, "blocked": blocked, **(facts or {})}
    while len(text := json.dumps(body)) > LIMIT and message:
        message = message[: -max(1, (len(text) - LIMIT) // 6)]
        body["message"] = message + "…"
    try:
        # Not atomic: the kubelet mounts the file itself, it cannot be replaced.
        paths.TERMINATION_LOG.write_text(text, encoding="ascii")
    except OSError as error:
        say(f"The report cannot be written to {paths.TERMINATION_LOG}: {error.strerror}")
