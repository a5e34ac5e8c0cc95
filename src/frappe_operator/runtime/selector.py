"""Whether an object is among those that a watch with a label selector sees."""

from collections.abc import Mapping


def matches(selector: str, labels: Mapping[str, str] | None) -> bool:
    """A selector as we write them: `a=b`, `a!=b`, `a` (is set), `!a` (is not), joined by commas."""
    have = labels or {}
    return all(_matches(part.strip(), have) for part in selector.split(",") if part.strip())


def _matches(part: str, labels: Mapping[str, str]) -> bool:
    if "!=" in part:
        name, value = part.split("!=", 1)
        return labels.get(name) != value
    if "=" in part:
        name, value = part.split("=", 1)
        return labels.get(name) == value.removeprefix("=")
    if part.startswith("!"):
        return part[1:] not in labels
    return part in labels
