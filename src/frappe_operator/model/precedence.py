"""Which of several sections of specs decides about a field: those of a site come before those of its bench."""

from collections.abc import Iterable
from typing import Any


def first(declared: Iterable[Any], field: str) -> Any:
    """The value of a field in the first section that sets it; None when none does. An absent section is None."""
    values = (getattr(each, field) for each in declared if each is not None)
    return next((value for value in values if value is not None), None)
