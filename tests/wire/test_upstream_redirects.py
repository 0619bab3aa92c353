"""Redirects over real sockets: what comes back, what goes along, and where they must not lead."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.model.settings import CustomHeader
from regproxy.upstream.interface import Question
from tests.fakes.asking import get, read, upstream_for
from tests.fakes.upstream import FakeUpstream, Script, redirect

REACTOR: Any = reactor


@pytest_twisted.async_yield_fixture
async def fake() -> AsyncIterator[FakeUpstream]:
    """The configured upstream, on loopback."""
    upstream = FakeUpstream(reactor).start()
    yield upstream
    await upstream.stop()


@pytest_twisted.async_yield_fixture
async def other() -> AsyncIterator[FakeUpstream]:
    """Another host: reached by a name that the configuration does not know."""
    upstream = FakeUpstream(reactor, host="localhost").start()
    yield upstream
    await upstream.stop()


@pytest_twisted.ensureDeferred
async def test_hops(fake: FakeUpstream) -> None:
    """Each hop keeps its own headers, and redirects leave the connection usable."""
    fake.answers["/a"] = Script(b"see there", 302, {"location": "b?x=1", "x-first": "1"})
    fake.answers["/b"] = redirect("/c", 307)
    fake.answers["/c"] = Script(b"here")
    upstream = upstream_for(reactor, fake.url())
    reply = await upstream.ask(Question(fake.url("/a")))
    assert [fake.url("/a"), fake.url("/b?x=1"), fake.url("/c")] == [hop.url for hop in reply.hops]
    assert [hop.status for hop in reply.hops] == [302, 307, 200]
    assert (reply.hops[0].headers.first("x-first"), reply.headers.first("x-first")) == ("1", None)
    assert (await read(reply), fake.connections) == (b"here", 1)
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_large_redirect_body(fake: FakeUpstream) -> None:
    """The body of a redirect is not read to its end if it is long."""
    fake.answers["/a"] = redirect("/c", body=bytes(32 << 20))
    fake.answers["/c"] = Script(b"here")
    upstream = upstream_for(reactor, fake.url())
    assert await get(upstream, fake.url("/a")) == (200, b"here")
    assert (fake.connections, fake.written < 16 << 20) == (2, True)
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_stops(fake: FakeUpstream) -> None:
    """A redirect that is answer enough is the answer."""
    fake.answers["/a"] = Script(b"", 302, {"location": "/b", "x-linked-etag": '"1"'})
    fake.answers["/b"] = Script(b"here")
    upstream = upstream_for(reactor, fake.url())
    reply = await upstream.ask(
        Question(fake.url("/a"), method="HEAD", stops=lambda hop: hop.headers.first("x-linked-etag") is not None)
    )
    assert (reply.status, len(fake.requests)) == (302, 1)
    reply.source.abort()
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("location", "phrase"), [("/a", "circle"), ("/n", "too often")])
async def test_endless(fake: FakeUpstream, location: str, phrase: str) -> None:
    """Circles and long ways end."""
    fake.answers["/a"] = redirect(location)
    fake.answers["/n"] = lambda seen: redirect(f"/n?{len(fake.requests)}")
    upstream = upstream_for(reactor, fake.url())
    with pytest.raises(RegproxyError, match=phrase) as caught:
        await get(upstream, fake.url("/a"))
    assert (caught.value.kind, upstream.connections) == (Kind.UPSTREAM_BAD, 0)
    assert len(fake.requests) <= 11
    await upstream.close()


CANARIES = ("c4nary-basic", "c4nary-cookie", "c4nary-custom", "c4nary-query")


async def leaked(fake: FakeUpstream, other: FakeUpstream, **settings: Any) -> list[str]:
    """Ask with every kind of secret, be sent to another origin, and say which arrived there."""
    fake.answers["/a"] = redirect(other.url("/b"))
    other.answers["/b"] = Script(b"here")
    upstream = upstream_for(
        reactor,
        fake.url(),
        allowed_hosts=("localhost",),
        token="c4nary-basic",
        query_params="key=c4nary-query",
        custom_http_headers=(CustomHeader(name="X-Key", value="c4nary-custom"),),
        **settings,
    )
    headers = Headers.of(cookie="id=c4nary-cookie")
    assert await get(upstream, fake.url("/a"), headers=headers) == (200, b"here")
    at_home = str(fake.requests)
    assert list(CANARIES) == [each for each in CANARIES if each in at_home]
    await upstream.close()
    return [each for each in CANARIES if each in str(other.requests)]


@pytest_twisted.ensureDeferred
async def test_secrets_stay_at_home(fake: FakeUpstream, other: FakeUpstream) -> None:
    """Nothing secret goes to another origin."""
    assert await leaked(fake, other) == []


@pytest_twisted.ensureDeferred
async def test_same_host_other_port(fake: FakeUpstream, other: FakeUpstream) -> None:
    """Another port of the same host may be asked, but is another origin."""
    other.host = fake.host
    assert await leaked(fake, other) == []


@pytest_twisted.ensureDeferred
async def test_unless_told_otherwise(fake: FakeUpstream, other: FakeUpstream) -> None:
    """With ``allowAnyHostAuth`` credentials go along; the query does not."""
    assert await leaked(fake, other, allow_any_host_auth=True) == ["c4nary-basic", "c4nary-cookie", "c4nary-custom"]


FORMS = [
    "http://localhost:{port}/",
    "http://a.localhost:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.1:{port}/",
    "http://2130706434:{port}/",
    "http://0177.0.0.2:{port}/",
    "http://0x7f.0.0.2:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://10.0.0.1:{port}/",
    "http://169.254.169.254/latest/",
    "http://192.168.1.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://user:secret@localhost:{port}/",
    "http://127.0.0.1:{port}@localhost:{port}/",
    "//localhost:{port}/",
    "\\\\localhost:{port}\\",
    "file:///etc/passwd",
    "ftp://localhost:{port}/",
    "gopher://localhost:{port}/",
    "javascript:alert(1)",
    "http://",
    "http://localhost:99999/",
    "http://[::1/",
]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("form", FORMS)
async def test_forbidden_targets(fake: FakeUpstream, other: FakeUpstream, form: str) -> None:
    """No redirect leads into our own network, whatever it is written like; the sink sees no connection."""
    other.answers["/"] = Script(b"secret")
    location = form.format(port=other.port)
    fake.answers["/a"] = redirect(location)
    upstream = upstream_for(reactor, fake.url())
    try:
        answer: tuple[Any, bytes] = await get(upstream, fake.url("/a"), patience=3.0)
    except RegproxyError as error:
        answer = error.kind, (error.text + error.detail).encode()
    # A path that only looked like an address is asked for at home, and not found.
    assert answer[0] in {Kind.UPSTREAM_BAD, 404}
    assert b"secret" not in answer[1]
    assert (other.connections, upstream.connections) == (0, 0)
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("url", ["http://localhost:{port}/", "http://[::1]:{port}/", "ftp://127.0.0.1/"])
async def test_a_question_is_checked_too(fake: FakeUpstream, other: FakeUpstream, url: str) -> None:
    """References come from upstream's documents, so a question's own URL is looked at like a redirect."""
    upstream = upstream_for(reactor, fake.url())
    with pytest.raises(RegproxyError) as caught:
        await get(upstream, url.format(port=other.port))
    assert (caught.value.kind, other.connections, upstream.assumed_offline) == (Kind.UPSTREAM_BAD, 0, False)
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("allowed", ["localhost", "localhost:{port}", "127.0.0.0/8"])
async def test_allowed(fake: FakeUpstream, other: FakeUpstream, allowed: str) -> None:
    """What ``allowedHosts`` names may be reached."""
    other.answers["/b"] = Script(b"here")
    fake.answers["/a"] = redirect(other.url("/b"))
    entries = (allowed.format(port=other.port), "::1")
    upstream = upstream_for(reactor, fake.url(), allowed_hosts=entries)
    assert await get(upstream, fake.url("/a")) == (200, b"here")
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_signed_queries_stay_secret(fake: FakeUpstream) -> None:
    """An error names host and port of a target, never its query."""
    gone = FakeUpstream(reactor).start()
    fake.answers["/a"] = redirect(gone.url("/b?X-Signature=c4nary"))
    await gone.stop()
    upstream = upstream_for(reactor, fake.url())
    with pytest.raises(RegproxyError) as caught:
        await get(upstream, fake.url("/a"))
    assert "c4nary" not in f"{caught.value.text} {caught.value.detail} {caught.value!r}"
    # Another host's outage is not this one's.
    assert not upstream.assumed_offline
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_stalled_redirect_body(fake: FakeUpstream) -> None:
    """The next hop does not wait for the rest of a redirect's body."""
    fake.answers["/a"] = Script(raw=b"HTTP/1.1 302 There\r\nlocation: /c\r\ncontent-length: 9\r\n\r\n", stay=True)
    fake.answers["/c"] = Script(b"here")
    upstream = upstream_for(reactor, fake.url())
    assert await get(upstream, fake.url("/a"), patience=2.0) == (200, b"here")
    await upstream.close()
    await deferLater(REACTOR, 0)


@pytest_twisted.ensureDeferred
async def test_a_dead_host_behind_a_redirect(fake: FakeUpstream, other: FakeUpstream) -> None:
    """It is left alone from its first failure on, and the configured host, which answers, is not."""
    gone = other.url("/file")
    await other.stop()
    fake.answers["/a"] = redirect(gone)
    fake.answers["/b"] = Script(b"here")
    upstream = upstream_for(reactor, fake.url(), allowed_hosts=("localhost",))
    with pytest.raises(RegproxyError, match="refuses connections"):
        await get(upstream, fake.url("/a"))
    with pytest.raises(RegproxyError, match="could not be reached; it is tried again") as caught:
        await get(upstream, fake.url("/a"))
    assert (caught.value.kind, bool(caught.value.retry_after)) == (Kind.UPSTREAM_DOWN, True)
    assert (upstream.assumed_offline, upstream.doubtful) == (False, False)
    assert await get(upstream, fake.url("/b")) == (200, b"here")
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_files_on_another_host(fake: FakeUpstream, other: FakeUpstream) -> None:
    """A question that begins at another host does not need the configured one, which may be down."""
    gone = fake.url("/index")
    await fake.stop()
    other.answers["/file"] = Script(b"here")
    upstream = upstream_for(reactor, gone, allowed_hosts=("localhost",))
    with pytest.raises(RegproxyError, match="refuses connections"):
        await get(upstream, gone)
    assert upstream.assumed_offline
    assert await get(upstream, other.url("/file")) == (200, b"here")
    assert upstream.assumed_offline
    await upstream.close()
