"""Kubernetes quantities."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.kube.quantities import SUFFIXES, amount, canonical


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("-1", -1),
        (".5", Decimal("0.5")),
        ("1500m", Decimal("1.5")),
        ("1.5k", 1500),
        ("1Ki", 1024),
        ("0.5Gi", 512 * 1024**2),
        ("1Pi", 1024**5),
        ("1e3", 1000),
        ("1E3", 1000),
        ("2E", 2 * 10**18),
    ],
)
def test_a_quantity_is_a_number(text: str, number: Decimal) -> None:
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "1K", "1ki", "Gi", "1 Gi", "1e3Ki", "e3", "."])
def test_other_text_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        amount(text)


# What a real API server 1.37 made of them.
@pytest.mark.parametrize(
    ("requested", "written"),
    [
        (2, "2"),
        ("0", "0"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500", "1500"),
        ("2000", "2k"),
        ("1536000000", "1536M"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1000Ki", "1000Ki"),
        ("1.5m", "2m"),
        ("0.1m", "1m"),
        ("1n", "1m"),
        ("1500u", "2m"),
        ("1.9999999999999999999999999m", "2m"),
        ("1.000000000000000000000000000001", "1001m"),
        ("0.1Ki", "102400m"),
        ("1.0001Ki", "1024103m"),
        ("1023.5Ki", "1048064"),
        ("0.3Mi", "314572800m"),
        ("100m", "100m"),
        ("0Ki", "0"),
        ("1E", "1E"),
        ("9999P", "9999P"),
        ("99999999999999999999999999999999", "99999999999999999999999999999999"),
        ("1152921504606846975.5", "1152921504606846975500m"),
        ("1e3", "1e3"),
        ("12e2", "1200"),
        ("1e4", "10e3"),
        ("1e19", "10e18"),
        ("1.5e-3", "2e-3"),
    ],
)
def test_quantities_are_written_as_the_server_writes_them(requested: str | int, written: str) -> None:
    assert canonical(requested) == written


@given(st.decimals(0, 10**6, places=3), st.sampled_from(sorted(SUFFIXES)))
def test_another_spelling_is_the_same_amount(number: Decimal, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert amount(text) <= amount(canonical(text)) < amount(text) + Decimal("0.001")
    assert canonical(canonical(text)) == canonical(text)
