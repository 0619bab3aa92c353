"""Tokens as realms send them."""

import json
from typing import Any

import pytest

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.auth import read_token


@pytest.mark.parametrize(
    ("answer", "value", "until"),
    [
        ({"token": "t"}, "t", 100 + 51),
        ({"access_token": "a", "expires_in": 100}, "a", 100 + 85),
        ({"token": "t", "access_token": "a", "expires_in": 300}, "t", 100 + 255),
        ({"token": "t", "expires_in": -5}, "t", 100),
        ({"token": "t", "expires_in": "300"}, "t", 100 + 255),
    ],
)
def test_read(answer: dict[str, Any], value: str, until: float) -> None:
    """Under either name, good for 85 % of the time that it has, a minute by default."""
    token = read_token(json.dumps(answer).encode(), 100, "realm:443")
    assert (token.value, round(token.until, 6)) == (value, until)


@pytest.mark.parametrize(
    "document",
    [
        *(b"", b"null", b"[]", b"{}", b'"t"', b'{"token": 5}', b'{"token": ""}', b'{"token": "a b"}', b'{"token": "a\\u00e4"}'),
        *(b'{"token": "t", "expires_in": [1]}', b'{"token": "t", "expires_in": 1' + b"0" * 400 + b"}", b"[" * 100_000, b"\xff"),
    ],
)
def test_nonsense(document: bytes) -> None:
    """What is no token is the upstream's fault."""
    with pytest.raises(RegproxyError) as caught:
        read_token(document, 0, "realm:443")
    assert caught.value.kind is Kind.UPSTREAM_BAD
