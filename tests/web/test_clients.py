"""Whose request it is, behind proxies."""

import pytest

from regproxy.web.clients import Trusted, counted

TRUSTED = Trusted.of(("10.0.0.0/8", "2001:db8::/32", "unix"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"192.0.2.7"], "192.0.2.7"),
        ("192.0.2.9", [b"192.0.2.7"], "192.0.2.9"),  # no proxy of ours: what it says is its own affair
        ("10.0.0.1", [b"1.1.1.1, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", [b"1.1.1.1", b"192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [b"192.0.2.7, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b"192.0.2.7:1234"], "192.0.2.7"),
        ("2001:db8::1", [b"[2001:dead::5]:99"], "2001:dead::5"),
        ("", [b"192.0.2.7"], "192.0.2.7"),
        ("::ffff:10.0.0.1", [b"::ffff:192.0.2.7"], "192.0.2.7"),
        ("::ffff:192.0.2.9", [], "192.0.2.9"),
    ],
)
def test_client(peer: str, forwarded: list[bytes], expected: str) -> None:
    """The first address from the end that is not a proxy of ours."""
    assert expected == TRUSTED.client(peer, forwarded)


def test_covers() -> None:
    """Networks, and UNIX sockets only if they are named."""
    assert TRUSTED.covers("10.9.9.9")
    assert not TRUSTED.covers("11.0.0.1")
    assert not TRUSTED.covers("no address")
    assert TRUSTED.covers("")
    assert not Trusted.of(("10.0.0.0/8",)).covers("")
    with pytest.raises(ValueError, match="network"):
        Trusted.of(("10.0.0.0/99",))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_counted(host: str, expected: str) -> None:
    """An IPv6 client has a /64."""
    assert expected == counted(host)
