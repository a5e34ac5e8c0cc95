"""Quantities of Kubernetes."""

import re
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, Context, Decimal
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
EXPONENTS = {f"e{power}" if power else "": Decimal(10) ** power for power in range(-9, 19, 3)}

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,3})|([a-zA-Z]*))")
# Precise enough for every quantity of at most 500 characters.
_EXACT = Context(prec=2000, rounding=ROUND_CEILING, Emin=MIN_EMIN, Emax=MAX_EMAX)


@lru_cache(maxsize=1024)
def amount(text: str) -> Decimal:
    """The numeric value of a quantity: `1500m` is 1.5. Raises ValueError for text that is not a quantity."""
    match = _QUANTITY.fullmatch(text)
    if match is None or (match[3] or "") not in SUFFIXES or len(text) > 500:
        raise ValueError(f"{text!r} is no quantity")
    return _EXACT.multiply(Decimal(match[1] + (match[2] or "")), SUFFIXES[match[3] or ""])


@lru_cache(maxsize=1024)
def canonical(text: str | int) -> str:
    """A quantity as the API server stores it: `0.5` is `500m`, `1024Mi` is `1Gi`, `1.5m` is `2m`.

    This holds for `requests`, `limits` and `capacity`. Raises ValueError for text that is not a quantity.
    """
    written = str(text)
    exact = amount(written)
    value = _EXACT.quantize(exact, DECIMAL["m"])
    for suffix, unit in reversed(_suffixes(written, exact).items()):
        if _EXACT.remainder(value, unit) == 0 and (value or not suffix):
            return f"{int(_EXACT.divide(value, unit))}{suffix}"
    return written


def _suffixes(written: str, value: Decimal) -> dict[str, Decimal]:
    """The suffixes that the API server may use for a quantity: of the family of its present suffix, if possible."""
    if written.endswith("i"):
        # The API server does not use binary suffixes for fractions and values below 1Ki.
        return {"": Decimal(1), **BINARY} if abs(value) >= 1024 and value == int(value) else DECIMAL
    return EXPONENTS if re.search("[eE][+-]?[0-9]", written) else DECIMAL


def mebibytes(size: int) -> str:
    """A number of bytes as users read it: in whole MiB, and never as nothing."""
    return f"{max(1, round(size / 2**20))}Mi"
