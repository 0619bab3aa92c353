"""Challenges of registries, and whose realm is trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.upstream.challenge import Challenge, bearer_challenge, is_trusted, registrable
from regproxy.upstream.origin import Origin
from regproxy.upstream.targets import Targets


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Bearer realm="https://a/t",service="s",scope="r:x:pull"', Challenge("https://a/t", "s", "r:x:pull")),
        ('bearer service=s , realm="https://a/t"', Challenge("https://a/t", "s")),
        ('Basic realm="x, y", Bearer realm="https://a/t"', Challenge("https://a/t")),
        ('Bearer realm="https://a/t",scope="a:b:pull,push",error="invalid_token"', Challenge("https://a/t", "", "a:b:pull,push")),
        ('Bearer realm="https://a/\\"t"', Challenge('https://a/"t')),
        ('Basic realm="x"', None),
        ("Bearer", None),
        ("Bearer service=x", None),
        ('Bearer realm=""', None),
    ],
)
def test_read(value: str, expected: Challenge | None) -> None:
    """Parameters in any order, quoted or not, beside other challenges."""
    assert bearer_challenge([value]) == expected


@given(st.text())
def test_nonsense(text: str) -> None:
    """Whatever upstream sends is read without trouble, and in time."""
    found = bearer_challenge([text, f"Bearer {text}", f'Bearer realm="{text}'])
    assert found is None or found.realm


def test_url() -> None:
    """Service and scope are encoded; what the realm has already stays."""
    assert Challenge("https://a/t", "s s", "r:x/y:pull").url() == "https://a/t?service=s+s&scope=r%3Ax%2Fy%3Apull"
    assert Challenge("https://a/t?x=1", "s").url() == "https://a/t?x=1&service=s"
    assert Challenge("https://a/t").url() == "https://a/t"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("registry.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("localhost", "localhost"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_registrable(host: str, domain: str) -> None:
    """The rule of thumb."""
    assert registrable(host) == domain


@pytest.mark.parametrize(
    ("origin", "realm", "trusted"),
    [
        ("https://registry.example.com", "https://registry.example.com/token", True),
        ("https://registry.example.com", "https://registry.example.com:8443/token", True),
        ("https://registry.example.com", "https://auth.example.com/token", True),
        ("https://registry.example.com", "https://auth.named.test/token", True),
        ("https://registry.example.com", "http://registry.example.com/token", False),
        ("https://registry.example.com", "https://auth.evil.com/token", False),
        ("https://registry.example.com", "https://example.com.evil.test/token", False),
        ("https://registry.example.co.uk", "https://evil.co.uk/token", False),
        ("https://registry.example.com", "https://user@registry.example.com/token", False),
        ("https://registry.example.com", "file:///token", False),
        ("http://10.0.0.1:5000", "http://10.0.0.1:5001/token", True),
        ("http://10.0.0.1:5000", "http://9.0.0.1/token", False),
        ("http://registry:5000", "http://169.254.169.254/", False),
    ],
)
def test_trusted(origin: str, realm: str, *, trusted: bool) -> None:
    """A realm is asked if it is the upstream's own, or named; https is not left."""
    here = Origin.of(origin)
    assert is_trusted(realm, here, Targets.of(here, ("auth.named.test",))) == trusted
