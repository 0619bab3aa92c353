"""Origins of URLs, and URLs fit for a request line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import RegproxyError
from regproxy.upstream.origin import Origin, clean_url, with_query


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://Example.test", "example.test:80"),
        ("https://example.test./a?b", "example.test:443"),
        ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443"),
        ("HTTP://example.test:81/", "example.test:81"),
    ],
)
def test_of(url: str, text: str) -> None:
    """Host in lower case, and a port in any case."""
    assert str(Origin.of(url)) == text


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "/a",
            "//host/",
            "http:",
            "http://",
            "http://:80/",
            "ftp://host/",
            "file:///a",
            "http://host:0/",
            "http://host:99999/",
        ),
        *(
            "http://host:x/",
            "http://u@host/",
            "http://u:p@host/",
            "http://[::1/",
            "http://h%6fst/",
            "http://höst/",
            "http://[fe80::1%25eth0]/",
        ),
    ],
)
def test_refused(url: str) -> None:
    """What is no plain http or https address is refused."""
    with pytest.raises(RegproxyError):
        Origin.of(url)


@given(st.text())
def test_clean(text: str) -> None:
    """Whatever it is, it fits into a request line, and cleaning again changes nothing."""
    cleaned = clean_url(text)
    assert cleaned.isascii()
    assert not any(each <= " " or each in {"\x7f", "#"} for each in cleaned)
    assert clean_url(cleaned) == cleaned


@pytest.mark.parametrize(
    ("url", "query", "expected"),
    [
        ("http://h/a", "", "http://h/a"),
        ("http://h/a", "k=1", "http://h/a?k=1"),
        ("http://h/a?", "k=1", "http://h/a?k=1"),
        ("http://h/a?b=2", "k=1", "http://h/a?b=2&k=1"),
        ("http://h/a?k=1&b=2", "k=1", "http://h/a?k=1&b=2"),
        ("http://h/a?k=12", "k=1", "http://h/a?k=12&k=1"),
    ],
)
def test_with_query(url: str, query: str, expected: str) -> None:
    """Parameters are added once."""
    assert with_query(url, query) == expected
