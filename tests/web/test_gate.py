"""Who sends a request, and on whose behalf."""

from base64 import b64encode
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.web.resource import IResource

from regproxy.access.credentials import Bearer
from regproxy.access.principal import Principal
from regproxy.model.access import Action
from regproxy.model.principals import Target, User
from regproxy.repo.interface import Answer, Text
from regproxy.telemetry.events import Event, What
from regproxy.web.catalog import Catalog
from regproxy.web.request import ProxyRequest
from regproxy.web.root import Root
from tests.fakes.gates import gate_of, guard_of
from tests.fakes.site import Answering, Client, Stage


def ok(request: ProxyRequest) -> Answer:
    """Whatever is asked."""
    return Text(b"ok", "text/plain")


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("POST", "", 200),
        ("POST", "http://here:81", 200),
        ("PUT", "https://HERE:81", 200),
        ("POST", "http://here", 403),
        ("POST", "http://here:81.evil.example", 403),
        ("POST", "http://evil.example", 403),
        ("DELETE", "null", 403),
        ("PATCH", "file://", 403),
        ("GET", "http://evil.example", 200),
        ("HEAD", "http://evil.example", 200),
    ],
)
@pytest_twisted.ensureDeferred
async def test_pages_of_other_sites_change_nothing(method: str, origin: str, status: int) -> None:
    """A browser would show what its user has typed in for us."""
    api = cast(IResource, Answering(ok))
    root = Root(Catalog(guard_of()), {"api": api}, {}, identify=gate_of().identify)

    def work(client: Client) -> Any:
        shown = f"Origin: {origin}\r\n" if origin else ""
        client.send(f"{method} /api/x HTTP/1.1\r\nHost: here:81\r\nContent-Length: 0\r\n{shown}\r\n".encode())
        return client.reply(head=method == "HEAD").status

    async with Stage(root) as stage:
        assert status == await stage.ask(work)


@pytest.mark.parametrize("path", ["a/x", "a/with a space", "a/with,a comma", "a/\u3000wide", "a/b:r"])
def test_what_is_signed(path: str) -> None:
    """Is good for that path, however it is spelled, and for no other."""
    gate = gate_of([User(name="ann"), Target(name="t", repositories=("r",), users={"ann": (Action.READ, Action.WRITE)})])
    ann = gate.authority.by_certificate("ann")
    _, _, token = gate.sign(ann, "r", path, [Action.READ]).partition("=")
    signed = gate.authority.identify(Bearer(token), "")
    assert isinstance(signed, Principal)
    asked = [(Action.READ, path), (Action.WRITE, path), (Action.READ, "a/other"), (Action.READ, f"{path}/x")]
    assert [True, False, False, False] == [signed.may(action, "r", "local", each) for action, each in asked]


NAMES: list[Any] = [
    ("Ann", "ann"),
    ("Ann@example.org", "ann@example.org"),
    ("rpx_0Ab", ""),
    ("rpr_0ab", ""),
    ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", ""),
    ("a" * 65, ""),
    ("my password!", ""),
]


@pytest.mark.parametrize(("tried", "told"), NAMES)
@pytest_twisted.ensureDeferred
async def test_what_is_told_of_a_refused_login(tried: str, told: str) -> None:
    """A name that somebody may have; tokens and passwords that stand in its place are not written down."""
    gate = gate_of()
    heard: list[Event] = []
    gate.events.listen(heard.append)
    root = Root(Catalog(guard_of()), {"api": cast(IResource, Answering(ok))}, {}, identify=gate.identify)

    def work(client: Client) -> Any:
        shown = b64encode(f"{tried}:wrong".encode()).decode()
        client.send(f"GET /api/x HTTP/1.1\r\nHost: here:81\r\nAuthorization: Basic {shown}\r\n\r\n".encode())
        return client.reply().status

    async with Stage(root) as stage:
        assert await stage.ask(work) == 401
    assert [(What.LOGIN_REFUSED, told)] == [(event.event, event.subject) for event in heard]
