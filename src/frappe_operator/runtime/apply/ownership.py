"""Fields that we set once and do not want any more. Comparing what is wanted with what is there never finds them.

The server keeps, for each field manager, the fields it has set: `f:name` a field, `k:{...}` an entry of a keyed list,
`v:...` a value of a set. One of ours that is not wanted any more has to be applied away.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from frappe_operator.kube.kinds import Manifest
from frappe_operator.kube.live import CONTROLLED_BY_US
from frappe_operator.runtime.apply.compare import DEFAULTS


def leftover(desired: Manifest, live: Manifest) -> str:
    """The path of a field of `live` that is ours and not in `desired`; empty when there is none."""
    for entry in live["metadata"].get("managedFields") or []:
        ours = entry.get("manager") == CONTROLLED_BY_US and entry.get("operation") == "Apply"
        if ours and not entry.get("subresource"):
            found = _leftover(entry.get("fieldsV1") or {}, desired)
            if found:
                return ".".join(found)
    return ""


def _leftover(fields: Mapping[str, Any], desired: Any) -> tuple[str, ...]:
    for field, below in fields.items():
        if field == ".":
            continue
        kind, _, text = field.partition(":")
        if kind == "f":
            found = desired.get(text) if isinstance(desired, Mapping) else None
            there = isinstance(desired, Mapping) and text in desired
        else:
            found = _entry(kind, msgspec.json.decode(text), desired)
            there = found is not None
        if not there:
            return (text,)
        inner = _leftover(below, found) if below else ()
        if inner:
            return (text, *inner)
    return ()


def _entry(kind: str, wanted: Any, desired: Any) -> Any:
    """The entry of a list that is meant, None when there is none."""
    if not isinstance(desired, list):
        return None
    if kind == "v":
        return wanted if wanted in desired else None
    if kind == "i":
        return desired[wanted] if wanted < len(desired) else None
    for item in desired:
        if isinstance(item, Mapping) and all(item.get(n, DEFAULTS.get(n)) == value for n, value in wanted.items()):
            return item
    return None
