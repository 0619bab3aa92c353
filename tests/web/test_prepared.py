"""Headers that are put: the same to whoever reads or writes them as those that are set."""

import pytest
from twisted.web.http_headers import Headers

from regproxy.web.prepared import has_none, put, spelled


@pytest.mark.parametrize("name", [b"etag", b"x-checksum-sha256", b"content-length", b"X-Regproxy-Cache"])
def test_put_is_set(name: bytes) -> None:
    """In whatever spelling it is asked for, replaced or removed."""
    given, expected = Headers({name: [b"old"]}), Headers()
    put(given, spelled(name), b"value")
    expected.setRawHeaders(name, [b"value"])
    assert expected == given
    assert list(expected.getAllRawHeaders()) == list(given.getAllRawHeaders())
    assert given.getRawHeaders(name.upper()) == [b"value"]
    given.removeHeader(name.lower())
    assert not given.hasHeader(name)


def test_those_of_two_responses_are_two() -> None:
    """What is added to one is not in the other."""
    one, other = Headers(), Headers()
    for headers in (one, other):
        put(headers, spelled(b"vary"), b"Accept")
    one.addRawHeader(b"vary", b"Origin")
    assert other.getRawHeaders(b"vary") == [b"Accept"]


def test_none_of_several() -> None:
    """However they were written."""
    names = frozenset({spelled(b"if-match"), spelled(b"etag")})
    assert has_none(Headers({b"if-range": [b"x"]}), names)
    assert not has_none(Headers({b"IF-MATCH": [b"x"]}), names)
    assert not has_none(Headers({b"etag": [b"x"]}), names)
