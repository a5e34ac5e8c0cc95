"""Reads the operator's requests from the audit log of the API server."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

USER = "system:serviceaccount:frappe-operator:frappe-operator"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def since(log: Path, start: int) -> list[dict[str, Any]]:
    """The operator's requests from byte `start` of the log on."""
    with log.open("rb") as file:
        file.seek(start)
        entries = [json.loads(line) for line in file if line.endswith(b"\n")]
    return [entry for entry in entries if entry["user"]["username"] == USER]


def writes(log: Path, start: int, namespace: str) -> Counter[str]:
    """What the operator wrote in a namespace since byte `start` of the log, and how often."""
    return Counter(
        f"{entry['verb']} {entry['objectRef']['resource']} {entry['objectRef'].get('name', '')}"
        for entry in since(log, start)
        if entry["verb"] in WRITES and entry["objectRef"].get("namespace") == namespace
    )
