"""Which addresses are public, and what the configuration allows besides."""

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.origin import Origin
from regproxy.upstream.targets import Targets, is_public, literal

HOME = Origin("https", "registry.example", 443)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
        *("192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::"),
        *("fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "3fff::1"),
    ],
)
def test_not_public(address: str) -> None:
    """None of these is everybody's, whatever it carries inside."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_public(address: str) -> None:
    """These are."""
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_embedded(address: IPv4Address) -> None:
    """No IPv6 address that embeds an IPv4 one is public."""
    forms = (
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::",
    )
    assert [is_public(ip_address(form)) for form in forms] == [False] * 4


@given(st.ip_addresses(v=4))
def test_public_is_never_private(address: IPv4Address) -> None:
    """What the library calls private, multicast or reserved is not public here."""
    if address.is_private or address.is_multicast or address.is_reserved or address.is_loopback:
        assert not is_public(address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("::1", "::1"),
        ("example.test", None),
        ("1.2.3.4.5", None),
    ],
)
def test_literal(host: str, address: str | None) -> None:
    """Every form that a resolver takes for an address is one."""
    assert literal(host) == address


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("cdn.example", "http://cdn.example:8080/", True),
        ("CDN.example", "http://cdn.example/", True),
        ("cdn.example:8080", "http://cdn.example:8080/", True),
        ("cdn.example:8080", "http://cdn.example:81/", False),
        ("*.example", "http://a.b.example/", True),
        ("*.example", "http://example/", False),
        ("*.example", "http://badexample/", False),
        ("10.0.0.1", "http://10.0.0.1/", True),
    ],
)
def test_names(entry: str, url: str, *, allowed: bool) -> None:
    """What is named needs no public address."""
    targets = Targets.of(HOME, (entry,))
    origin = Origin.of(url)
    assert (targets.named(origin) or targets.allows(origin.host)) == allowed


def test_networks() -> None:
    """A network opens its addresses and no others."""
    targets = Targets.of(HOME, ("10.1.0.0/16", "fd00::/8", "[fe80::1]"))
    found = [targets.allows(each) for each in ("10.1.2.3", "10.2.0.1", "fd00::1", "fc00::1", "fe80::1", "nonsense")]
    assert found == [True, False, True, False, True, False]


def test_home() -> None:
    """The configured host is allowed on every port, private or not."""
    targets = Targets.of(Origin("http", "10.0.0.5", 8080), ())
    targets.check(Origin("https", "10.0.0.5", 9))
    with pytest.raises(RegproxyError) as caught:
        targets.check(Origin("https", "10.0.0.6", 9))
    assert caught.value.kind is Kind.UPSTREAM_BAD
