"""Sizes as an operator writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.model.size import parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1500000", 1_500_000),
        ("7B", 7),
        ("64MiB", 64 << 20),
        ("500GiB", 500 << 30),
        (" 2 TiB ", 2 << 40),
        ("3kB".upper(), 3000),
        ("5GB", 5_000_000_000),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    """Binary and decimal units."""
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "big", "-1", "1.5GiB", "5G", "5gib", "1e9", "٣MiB", "1 2", "9" * 30])
def test_refused(text: str) -> None:
    """Anything else is an error that says what is expected."""
    with pytest.raises(ValueError, match="500GiB"):
        parse_size(text)


@given(st.integers(0, 10**12))
def test_plain_numbers(number: int) -> None:
    """A number alone is bytes."""
    assert parse_size(str(number)) == number
