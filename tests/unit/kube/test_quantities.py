"""Amounts."""

from decimal import Decimal

import pytest

from frappe_operator.kube.quantities import amount


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("1500m", Decimal("1.5")), ("1.5k", 1500), ("1Ki", 1024), ("0.5Gi", 512 * 1024**2), ("1Pi", 1024**5)],
)
def test_a_quantity_is_a_number(text: str, number: Decimal) -> None:
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "-1", "1K", "1ki", "Gi", "1 Gi", "1e3", "1.Gi"])
def test_other_text_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        amount(text)
