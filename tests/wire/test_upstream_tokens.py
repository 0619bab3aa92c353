"""Credentials and the token flow of registries, over real sockets."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from regproxy.errors import RegproxyError
from tests.fakes.asking import get, upstream_for
from tests.fakes.upstream import FakeUpstream, Script, Seen, challenge

ISSUED: list[str] = []
"""What the realm of the running test gave away; a test revokes by adding to it."""


@pytest_twisted.async_yield_fixture
async def fake() -> AsyncIterator[FakeUpstream]:
    """A registry that takes the newest token only, and is its own realm."""
    upstream = FakeUpstream(reactor).start()
    issued = ISSUED
    issued.clear()

    def token(seen: Seen) -> Script:
        issued.append(f"token-{len(issued)}")
        return Script(json.dumps({"token": issued[-1], "expires_in": 300}).encode(), delay=0.05)

    def blob(seen: Seen) -> Script:
        if issued and seen.headers.get("authorization") == f"Bearer {issued[-1]}":
            return Script(b"blob")
        return challenge(f'Bearer realm="{upstream.url("/token")}",service="reg",scope="repository:x:pull"')

    upstream.answers.update({"/token": token, "/blob": blob})
    yield upstream
    await upstream.stop()


@pytest_twisted.ensureDeferred
async def test_one_token_for_all(fake: FakeUpstream) -> None:
    """A hundred questions at once cost one token, and later ones cost no refusal."""
    upstream = upstream_for(reactor, fake.url(), username="me", password="pass word", max_connections=100)
    asked = [Deferred.fromCoroutine(get(upstream, fake.url("/blob"), scope="lib/app")) for _ in range(100)]
    assert await gatherResults(asked) == [(200, b"blob")] * 100
    assert fake.count("/token") == 1
    before = len(fake.requests)
    assert await get(upstream, fake.url("/blob"), scope="lib/app") == (200, b"blob")
    assert before + 1 == len(fake.requests)
    token = next(seen for seen in fake.requests if seen.path.startswith("/token"))
    assert token.path == "/token?service=reg&scope=repository%3Alib%2Fapp%3Apull"
    assert token.headers["authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_revoked(fake: FakeUpstream) -> None:
    """A token that is refused is thrown away, and asked for once more."""
    upstream = upstream_for(reactor, fake.url())
    await get(upstream, fake.url("/blob"), scope="a")
    ISSUED.append("another")
    assert await get(upstream, fake.url("/blob"), scope="a") == (200, b"blob")
    assert fake.count("/token") == 2
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_refused_for_good(fake: FakeUpstream) -> None:
    """A second refusal is the answer; there is no third try."""
    fake.answers["/blob"] = challenge(f'Bearer realm="{fake.url("/token")}"')
    upstream = upstream_for(reactor, fake.url())
    assert (await get(upstream, fake.url("/blob")))[0] == 401
    assert (fake.count("/blob"), fake.count("/token")) == (2, 1)
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_realm_refuses(fake: FakeUpstream) -> None:
    """A realm that knows us not leaves the registry's 401 as the answer."""
    fake.answers["/token"] = Script(b"no", 403)
    upstream = upstream_for(reactor, fake.url())
    assert await get(upstream, fake.url("/blob")) == (401, b"who are you?")
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "answer", [Script(b"{}"), Script(b"["), Script(b'{"token": "a\\nb"}'), Script(b"x" * 100_000), Script(b"", 503)]
)
async def test_realm_talks_nonsense(fake: FakeUpstream, answer: Script) -> None:
    """An answer that has no token in it is trouble with the upstream; nobody waits for ever."""
    fake.answers["/token"] = answer
    upstream = upstream_for(reactor, fake.url())
    with pytest.raises(RegproxyError):
        await get(upstream, fake.url("/blob"))
    assert upstream.connections == 0
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_foreign_realm(fake: FakeUpstream) -> None:
    """A realm elsewhere gets no connection, and so no credential, unless it is allowed."""
    sink = FakeUpstream(reactor, host="localhost").start()
    sink.answers["/token"] = Script(b'{"access_token": "t"}')
    fake.answers["/blob"] = lambda seen: (
        Script(b"blob")
        if seen.headers.get("authorization") == "Bearer t"
        else challenge(f'Bearer realm="{sink.url("/token")}",service="s"')
    )
    upstream = upstream_for(reactor, fake.url(), username="me", password="c4nary")
    with pytest.raises(RegproxyError, match="for a token"):
        await get(upstream, fake.url("/blob"))
    assert (sink.connections, upstream.connections) == (0, 0)
    allowing = upstream_for(reactor, fake.url(), username="me", password="x", allowed_hosts=("localhost",))
    assert await get(allowing, fake.url("/blob")) == (200, b"blob")
    await upstream.close()
    await allowing.close()
    await sink.stop()


@pytest_twisted.ensureDeferred
async def test_a_challenge_that_leads_nowhere_costs_no_connection(fake: FakeUpstream) -> None:
    """However often: what nobody will read does not keep it."""
    elsewhere = {"www-authenticate": 'Bearer realm="https://elsewhere.example/token"'}
    fake.answers["/blob"] = Script(b"a long page about it" * 20_000, 401, elsewhere)
    upstream = upstream_for(reactor, fake.url())
    for _ in range(5):
        with pytest.raises(RegproxyError):
            await get(upstream, fake.url("/blob"))
    for _ in range(1000):
        await upstream.close()
        if not fake.open:
            break
        await deferLater(reactor, 0.01)
    assert not fake.open


@pytest_twisted.ensureDeferred
async def test_switched_off(fake: FakeUpstream) -> None:
    """``enableTokenAuthentication = false`` leaves a challenge unanswered."""
    upstream = upstream_for(reactor, fake.url(), enable_token_authentication=False)
    assert (await get(upstream, fake.url("/blob")))[0] == 401
    assert fake.count("/token") == 0
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("settings", "sent"),
    [({}, None), ({"username": "me", "password": "pw"}, "Basic bWU6cHc="), ({"token": "t0k"}, "Bearer t0k")],
)
async def test_fixed(fake: FakeUpstream, settings: dict[str, Any], sent: str | None) -> None:
    """What is configured is sent unasked."""
    fake.answers["/x"] = Script(b"x")
    upstream = upstream_for(reactor, fake.url(), **settings)
    await get(upstream, fake.url("/x"))
    assert sent == fake.requests[0].headers.get("authorization")
    await upstream.close()
