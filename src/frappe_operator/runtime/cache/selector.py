"""Whether an object is among those that a watch with a label selector sees."""

from frappe_operator.kube.live import Meta


def matches(selector: str, meta: Meta) -> bool:
    """A selector as we write them: `a=b`, `a!=b`, `a` (is set), `!a` (is not), joined by commas."""
    return all(_matches(part.strip(), meta) for part in selector.split(",") if part.strip())


def _matches(part: str, meta: Meta) -> bool:
    labels = dict(zip(meta.labels[::2], meta.labels[1::2], strict=True))
    if "!=" in part:
        name, value = part.split("!=", 1)
        return labels.get(name) != value
    if "=" in part:
        name, value = part.split("=", 1)
        return labels.get(name) == value.removeprefix("=")
    if part.startswith("!"):
        return part[1:] not in labels
    return part in labels
