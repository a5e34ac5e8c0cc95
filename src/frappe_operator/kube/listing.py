"""Names in a message, which must not grow with the number of objects."""

from collections.abc import Sequence


def abbreviated(names: Sequence[str], most: int) -> str:
    """The names with commas between them; of more than `most`, the first and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
