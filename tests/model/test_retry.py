"""Retry-After, in its two forms."""

import pytest

from regproxy.model.headers import Headers
from regproxy.model.retry import LONGEST, retry_after

NOON = "Tue, 01 Dec 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        (" 12 ", 12),
        ("86400", LONGEST),
        ("9" * 40, LONGEST),
        ("Tue, 01 Dec 2026 12:00:30 GMT", 30),
        ("Tue, 01 Dec 2026 11:00:00 GMT", 0),
        ("Wed, 02 Dec 2026 12:00:00 GMT", LONGEST),
        ("", None),
        ("-1", None),
        ("7.5", None),
        ("soon", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
    ],
)
def test_read(value: str, seconds: int | None) -> None:
    """Seconds or a date; never more than an hour; nonsense is nothing."""
    assert retry_after(Headers.of(retry_after=value, date=NOON)) == seconds


def test_without_a_date() -> None:
    """A date cannot be compared with an unknown clock; seconds can be believed."""
    assert retry_after(Headers.of(retry_after="Tue, 01 Dec 2026 12:00:30 GMT")) is None
    assert retry_after(Headers.of(retry_after="30")) == 30
    assert retry_after(Headers()) is None
