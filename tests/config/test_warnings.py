"""What is no mistake in a configuration, and worth a word."""

from typing import Any

import msgspec
import pytest

from regproxy.config_warnings import warnings
from regproxy.model.settings import Configuration

TLS = {"listener": [{"address": "0.0.0.0:8443", "certificate": "c", "key": "k"}]}
BEHIND = {"baseUrl": "https://a.example"}


def said(server: dict[str, Any], **access: Any) -> list[str]:
    """About what."""
    configuration = msgspec.convert({"server": server, "access": access}, Configuration)
    return [each.text.partition(" ")[0] for each in warnings(configuration)]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({}, []),
        (BEHIND, ["baseUrl"]),
        ({"baseUrl": "http://a.example"}, []),
        ({**BEHIND, **TLS}, []),
        ({**BEHIND, "listen": ["ssl:8443:privateKey=k:certKey=c"]}, []),
        ({**BEHIND, "trustedProxies": ["10.0.0.0/8"]}, ["baseUrl"]),
        ({**BEHIND, "trustedProxies": ["127.0.0.0/8"]}, ["trustedProxies"]),
        ({"trustedProxies": ["::1", "127.0.0.1"]}, ["trustedProxies"]),
        ({"trustedProxies": ["unix"]}, []),
    ],
)
def test_who_is_on_this_machine(server: dict[str, Any], expected: list[str]) -> None:
    """A proxy that does not say for whom it asks makes everybody one who is; it matters where they may write for that."""
    assert expected == said(server)
    assert not said(server, anonymousWrite="never")
    assert not said(server, anonymous=False)
