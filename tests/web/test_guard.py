"""Who may change what, as long as nobody has a name."""

from typing import Any, cast

import pytest
from attrs import frozen
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.web.http_headers import Headers

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.settings import Access
from regproxy.web.guard import Guard

HERE, THERE = IPv4Address("TCP", "127.0.0.1", 1), IPv4Address("TCP", "192.0.2.1", 1)


@frozen
class Asking:
    """As much of a request as is looked at."""

    host: Any = HERE
    client: Any = HERE
    header: str = ""

    @property
    def requestHeaders(self) -> Headers:  # noqa: N802 - Twisted's name
        """The one header."""
        return Headers({self.header: ["x"]} if self.header else {})

    def getHost(self) -> Any:  # noqa: N802 - Twisted's name
        """Where it came in."""
        return self.host

    def getClientAddress(self) -> Any:  # noqa: N802 - Twisted's name
        """Where it came from."""
        return self.client


def may(access: Access, action: Action, **request: Any) -> bool:
    """Ask."""
    return Guard(access).permits(cast(Any, Asking(**request)), "r", action, "p")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, True),
        ({"host": IPv6Address("TCP", "::1", 1), "client": IPv6Address("TCP", "::1", 1)}, True),
        ({"host": THERE, "client": THERE}, False),
        ({"client": THERE}, False),
        ({"host": THERE}, False),
        ({"host": UNIXAddress(b"/s"), "client": UNIXAddress(b"")}, False),
        *(({"header": name}, False) for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP")),
    ],
)
def test_loopback(request_: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - the expectation
    """Both ends on this machine, and nothing in between that says otherwise."""
    for action in (Action.WRITE, Action.DELETE, Action.ANNOTATE):
        assert expected is may(Access(), action, **request_)
    assert may(Access(), Action.READ, **request_)


def test_other_settings() -> None:
    """Anywhere, never, and nobody at all."""
    assert may(Access(anonymous_write="anywhere"), Action.WRITE, client=THERE)
    assert not may(Access(anonymous_write="never"), Action.WRITE)
    assert may(Access(anonymous_write="never"), Action.READ, client=THERE)
    assert not may(Access(anonymous=False), Action.READ)


def test_refusals_name_the_key() -> None:
    """An operator can find what forbids it."""
    guard = Guard(Access())
    assert guard.permit(cast(Any, Asking()), "r", Action.WRITE, "p") == "anonymous"
    with pytest.raises(RegproxyError) as caught:
        guard.permit(cast(Any, Asking(client=THERE)), "r", Action.WRITE, "p")
    assert (Kind.DENIED, True) == (caught.value.kind, "anonymousWrite" in caught.value.text)
