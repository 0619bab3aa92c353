"""Who may do what, with a name and without."""

from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.web.http_headers import Headers

from regproxy.access.principal import Principal
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target
from regproxy.model.settings import Access, RepositorySettings
from regproxy.web.guard import Guard
from tests.fakes.gates import guard_of

LOCAL = RepositorySettings(key="r", rclass="local")
REMOTE = RepositorySettings(key="r", rclass="remote", url="https://up.example")
HERE, THERE = IPv4Address("TCP", "127.0.0.1", 1), IPv4Address("TCP", "192.0.2.1", 1)


@define
class Asking:
    """As much of a request as is looked at."""

    host: Any = HERE
    client: Any = HERE
    header: str = ""
    accountable: str = "127.0.0.1"
    principal: Any = None
    permitted: str = ""
    prefix: str = ""
    segments: tuple[str, ...] = ("r", "p")
    fields: dict[str, str] = field(factory=dict)

    def setHeader(self, name: str, value: str) -> None:  # noqa: N802 - Twisted's name
        """Note it."""
        self.fields[name] = value

    @property
    def requestHeaders(self) -> Headers:  # noqa: N802 - Twisted's name
        """The one header."""
        return Headers({self.header: ["x"]} if self.header else {})

    def isSecure(self) -> bool:  # noqa: N802 - Twisted's name
        """No."""
        return False

    def getHeader(self, name: str) -> str | None:  # noqa: N802 - Twisted's name
        """Of the host."""
        return "here:1" if name == "host" else None

    def getHost(self) -> Any:  # noqa: N802 - Twisted's name
        """Where it came in."""
        return self.host

    def getClientAddress(self) -> Any:  # noqa: N802 - Twisted's name
        """Where it came from."""
        return self.client


def may(access: Access, action: Action, **request: Any) -> bool:
    """Ask."""
    return guard_of(access).permits(cast(Any, Asking(**request)), LOCAL, action, "p")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, True),
        ({"host": IPv6Address("TCP", "::1", 1), "client": IPv6Address("TCP", "::1", 1)}, True),
        ({"host": THERE, "client": THERE}, False),
        ({"client": THERE}, False),
        ({"host": THERE}, False),
        ({"host": UNIXAddress(b"/s"), "client": UNIXAddress(b"")}, False),
        ({"accountable": ""}, False),
        *(({"header": name}, False) for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "Origin")),
        *(({"header": name}, False) for name in ("X-Forwarded-Proto", "True-Client-IP", "X-JFrog-Override-Base-Url")),
    ],
)
def test_loopback(request_: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - the expectation
    """Both ends on this machine, nothing in between that is known or says so, and no page in a browser."""
    for action in (Action.WRITE, Action.DELETE, Action.ANNOTATE):
        assert expected is may(Access(), action, **request_)
    assert may(Access(), Action.READ, **request_)


def test_other_settings() -> None:
    """Anywhere, never, and nobody at all."""
    assert may(Access(anonymous_write="anywhere"), Action.WRITE, client=THERE)
    assert not may(Access(anonymous_write="never"), Action.WRITE)
    assert may(Access(anonymous_write="never"), Action.READ, client=THERE)
    assert not may(Access(anonymous=False), Action.READ)


def refused(guard: Guard, action: Action, settings: RepositorySettings = LOCAL, **request: Any) -> tuple[Kind, str, str]:
    """Why, in words, and how to log in."""
    asking = Asking(**request)
    with pytest.raises(RegproxyError) as caught:
        guard.permit(cast(Any, asking), settings, action, "p")
    assert asking.permitted == ""
    return caught.value.kind, caught.value.text, asking.fields.get("www-authenticate", "")


def test_refusals_name_the_key() -> None:
    """An operator can find what forbids it; credentials would help."""
    guard = guard_of(Access())
    asking = Asking()
    assert (guard.permit(cast(Any, asking), LOCAL, Action.WRITE, "p"), asking.permitted) == ("anonymous", "r")
    kind, text, challenge = refused(guard, Action.WRITE, client=THERE)
    assert (Kind.UNAUTHENTICATED, True, 'Basic realm="regproxy"') == (kind, "anonymousWrite" in text, challenge)


def test_anonymous_at_first() -> None:
    """Reads everything, and has remotes fetch, from wherever; he annotates and deletes nothing of them but from here."""
    guard = guard_of()
    assert [True, True, False, False] == [
        guard.permits(cast(Any, Asking(client=THERE)), REMOTE, action, "p")
        for action in (Action.READ, Action.WRITE, Action.ANNOTATE, Action.DELETE)
    ]
    assert guard.fetches(cast(Any, Asking()), REMOTE)


def test_write_is_free_only_where_he_may_read() -> None:
    """A private repository is no drop box for whoever is on this machine."""
    guard = guard_of(entries=[Target(name="t", repositories=("r",), includes=("a/**",), users={ANONYMOUS: (Action.READ,)})])
    assert guard.permits(cast(Any, Asking()), LOCAL, Action.WRITE, "a/x")
    assert not guard.permits(cast(Any, Asking()), LOCAL, Action.WRITE, "b/x")


def test_what_is_not_there_for_him() -> None:
    """Who has no right at all hears that there is no such repository; who has shown nothing is to log in."""
    guard = guard_of(entries=[])
    ann = Principal(name="ann", known_as="ann")
    assert refused(guard, Action.READ)[0] is Kind.UNAUTHENTICATED
    assert refused(guard, Action.READ, principal=ann)[:2] == (Kind.NOT_FOUND, "there is no repository 'r'")
    assert not guard.knows(cast(Any, Asking(principal=ann)), LOCAL)


def test_what_somebody_may_not() -> None:
    """He hears what it is; logging in would not help. What is free to those without a name is not free to him."""
    guard = guard_of()
    target = Target(name="t", repositories=("r",), users={"ann": (Action.READ,)})
    ann = Principal(name="ann", known_as="ann", targets=[target])
    expected = (Kind.DENIED, "ann may not write this in r", "")
    assert expected == refused(guard, Action.WRITE, principal=ann)
    assert guard.permit(cast(Any, Asking(principal=ann)), LOCAL, Action.READ, "p") == "ann"


@pytest.mark.parametrize("segments", [("v2", "r", "x"), ("r", "v2", "x"), ("api", "docker", "r", "v2")])
def test_registries_are_sent_to_the_token_server(segments: tuple[str, ...]) -> None:
    """Their clients know nothing else."""
    guard = guard_of(entries=[])
    challenge = refused(guard, Action.READ, segments=segments)[2]
    assert challenge == 'Bearer realm="http://here:1/v2/token",service="regproxy"'
