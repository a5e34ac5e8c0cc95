"""Amounts as Kubernetes writes them."""

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
# Text of any length is a number as it stands: nothing is lost, and nothing is too large to be divided.
_EXACT = Context(prec=2000, rounding=ROUND_CEILING, Emin=MIN_EMIN, Emax=MAX_EMAX)


@lru_cache(maxsize=1024)
def amount(text: str) -> Decimal:
    """The number a quantity stands for: `1500m` is 1.5. Raises ValueError for what is no quantity."""
    match = _QUANTITY.fullmatch(text)
    if match is None or (match[3] or "") not in SUFFIXES or len(text) > 500:
        raise ValueError(f"{text!r} is no quantity")
    return _EXACT.multiply(Decimal(match[1] + (match[2] or "")), SUFFIXES[match[3] or ""])


@lru_cache(maxsize=1024)
def canonical(text: str | int) -> str:
    """An amount of a resource as the API server stores it: `0.5` is `500m`, `1024Mi` is `1Gi`, `1.5m` is `2m`.

    That is every amount in `requests`, `limits` and `capacity`. Raises ValueError as `amount` does.
    """
    said = str(text)
    asked = amount(said)
    value = _EXACT.quantize(asked, DECIMAL["m"])
    for suffix, unit in reversed(_suffixes(said, asked).items()):
        if _EXACT.remainder(value, unit) == 0 and (value or not suffix):
            return f"{int(_EXACT.divide(value, unit))}{suffix}"
    return said


def _suffixes(said: str, asked: Decimal) -> dict[str, Decimal]:
    """The suffixes the server chooses from: of the kind the text has, where the amount is a whole one of them."""
    if said.endswith("i"):
        # Below 1Ki and between whole numbers the server leaves the powers of two.
        return {"": Decimal(1), **BINARY} if abs(asked) >= 1024 and asked == int(asked) else DECIMAL
    return EXPONENTS if re.search("[eE][+-]?[0-9]", said) else DECIMAL
