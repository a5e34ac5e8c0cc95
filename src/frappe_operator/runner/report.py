"""The report of a command: one JSON object in the termination log of the container.

`{"ok": bool, "reason": "CamelCase", "message": "a sentence to act on", "blocked": bool, …}`, at most 4096 bytes (the
kubelet truncates longer ones), without secrets. A message that is too long is truncated; lists and mappings that a
command adds are not.
"""

import json
from typing import Any

from . import paths
from .credentials import redacted
from .log import say

LIMIT = 4096
"""The most bytes that the kubelet reads from a termination log."""


def write(ok: bool, reason: str, message: str, *, blocked: bool = False, facts: dict[str, Any] | None = None) -> None:
    """Writes the report. Outside of Kubernetes, where there is no termination log, it is only logged."""
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
