"""Amounts as Kubernetes writes them."""

import re
from decimal import Decimal
from functools import lru_cache

DECIMAL: dict[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
}
BINARY = {f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}
SUFFIXES = DECIMAL | BINARY

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([a-zA-Z]*))")


@lru_cache(maxsize=1024)
def amount(text: str) -> Decimal:
    """The number a quantity stands for: `1500m` is 1.5. Raises ValueError for what is no quantity."""
    match = _QUANTITY.fullmatch(text)
    if match is None or (match[3] or "") not in SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(match[1] + (match[2] or "")) * SUFFIXES[match[3] or ""]


@lru_cache(maxsize=1024)
def canonical(text: str | int) -> str:
    """A quantity as the API server writes it: `0.5` is `500m`, `1024Mi` is `1Gi`. Raises ValueError as `amount` does.

    One with an exponent, or finer than the server keeps it, is left as it is.
    """
    said = str(text)
    value, binary = amount(said), said.endswith("i")
    match = _QUANTITY.fullmatch(said)
    if match is None or match[2]:
        return said
    # Below 1Ki the server leaves the powers of two.
    suffixes = {"": Decimal(1), **BINARY} if binary and abs(value) >= 1024 else DECIMAL
    for suffix, unit in reversed(suffixes.items()):
        if value % unit == 0 and (value or not suffix):
            return f"{int(value / unit)}{suffix}"
    return said
