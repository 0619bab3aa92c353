"""Bodies from an upstream over real sockets: complete ones, cut ones, lies, and how much of them is held in memory."""

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream import source
from regproxy.upstream.interface import Question
from tests.fakes.asking import Bucket, get, read, upstream_for
from tests.fakes.upstream import FakeUpstream, Script

BODY = bytes(range(256)) * 4096
REACTOR: Any = reactor


@pytest_twisted.async_yield_fixture
async def fake() -> AsyncIterator[FakeUpstream]:
    """An upstream on loopback."""
    upstream = FakeUpstream(reactor).start()
    yield upstream
    await upstream.stop()


async def kind_of(fake: FakeUpstream, script: Script, **settings: Any) -> Kind:
    """What kind of trouble an answer makes, wherever it shows; no slot is lost by it."""
    fake.answers["/x"] = script
    upstream = upstream_for(reactor, fake.url(), **settings)
    with pytest.raises(RegproxyError) as caught:
        await get(upstream, fake.url("/x"), patience=5.0)
    assert upstream.connections == 0
    await upstream.close()
    return caught.value.kind


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_complete(fake: FakeUpstream, framing: str) -> None:
    """A body arrives as it is, and the slot is free then; the next request takes the same connection."""
    fake.answers["/x"] = Script(BODY, framing=framing)
    upstream = upstream_for(reactor, fake.url())
    assert await get(upstream, fake.url("/x")) == (200, BODY)
    assert await get(upstream, fake.url("/x")) == (200, BODY)
    assert (upstream.connections, fake.connections) == (0, 1)
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_headers_of_the_request(fake: FakeUpstream) -> None:
    """Upstream is asked for the bytes as they are, by us, with what the question and the settings add."""
    fake.answers["/x"] = Script(b"")
    upstream = upstream_for(reactor, fake.url(), query_params="key=1")
    await get(upstream, fake.url("/x?a=b"))
    seen = fake.requests[0]
    assert (seen.path, seen.headers["accept-encoding"]) == ("/x?a=b&key=1", "identity")
    assert seen.headers["user-agent"].startswith("regproxy/")
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_length_is_in_the_headers(fake: FakeUpstream) -> None:
    """Content-Length is there for GET and for HEAD; a HEAD's body ends at once."""
    fake.answers["/x"] = Script(BODY)
    upstream = upstream_for(reactor, fake.url())
    asked = await upstream.ask(Question(fake.url("/x"), method="HEAD"))
    assert (str(len(BODY)), 0) == (asked.headers.first("content-length"), asked.source.length)
    assert await read(asked) == b""
    got = await upstream.ask(Question(fake.url("/x")))
    assert (str(len(BODY)), len(BODY)) == (got.headers.first("content-length"), got.source.length)
    got.source.abort()
    assert upstream.connections == 0
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("status", [204, 304])
async def test_without_a_body(fake: FakeUpstream, status: int) -> None:
    """These end at once and leave the connection usable."""
    fake.answers["/x"] = Script(status=status)
    upstream = upstream_for(reactor, fake.url())
    assert (status, b"") == await get(upstream, fake.url("/x"))
    assert (status, b"") == await get(upstream, fake.url("/x"))
    assert fake.connections == 1
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("cut", [0, 1, 100_000])
async def test_cut(fake: FakeUpstream, framing: str, cut: int, *, reset: bool) -> None:
    """A body that ends early, by FIN or RST, never ends well."""
    assert await kind_of(fake, Script(BODY, framing=framing, cut=cut, reset=reset)) == Kind.UPSTREAM_DOWN


@pytest_twisted.ensureDeferred
async def test_no_length(fake: FakeUpstream) -> None:
    """A body that only the end of the connection ends cannot be known to be complete."""
    assert await kind_of(fake, Script(BODY, framing="close")) == Kind.UPSTREAM_BAD


@pytest_twisted.ensureDeferred
async def test_promises_more(fake: FakeUpstream) -> None:
    """A length that is never reached is a cut."""
    assert await kind_of(fake, Script(BODY, length=len(BODY) + 1)) == Kind.UPSTREAM_DOWN


@pytest_twisted.ensureDeferred
async def test_sends_more(fake: FakeUpstream) -> None:
    """What comes behind the promised length is no part of the body."""
    fake.answers["/x"] = Script(b"12345", length=3)
    upstream = upstream_for(reactor, fake.url())
    assert await get(upstream, fake.url("/x")) == (200, b"123")
    await upstream.close()


HEADS = {
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "gzip coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "many fields": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 201 + b"Content-Length: 0\r\n\r\n",
    "large head": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 700_000,
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" * 11 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "other protocol": b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "nul": b"HTTP/1.1 200 OK\r\nx: a\0b\r\nContent-Length: 0\r\n\r\n",
    "bare cr": b"HTTP/1.1 200 OK\r\nx: a\rb\r\nContent-Length: 0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "status": b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
    "other lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "not http": b"SSH-2.0-server\r\n\r\n",
}


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("raw", HEADS.values(), ids=HEADS.keys())
async def test_bad_heads(fake: FakeUpstream, raw: bytes) -> None:
    """An ambiguous or excessive head is refused."""
    assert await kind_of(fake, Script(raw=raw)) == Kind.UPSTREAM_BAD


@pytest_twisted.ensureDeferred
async def test_few_interim_answers(fake: FakeUpstream) -> None:
    """Up to ten interim answers are skipped."""
    fake.answers["/x"] = Script(
        raw=b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" * 10 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    upstream = upstream_for(reactor, fake.url())
    assert await get(upstream, fake.url("/x")) == (200, b"ok")
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_no_answer(fake: FakeUpstream) -> None:
    """Patience ends; the upstream is assumed offline then, and the next question fails at once."""
    fake.answers["/x"] = Script(delay=0.6)
    upstream = upstream_for(reactor, fake.url())
    for kind, asked in ((Kind.UPSTREAM_SLOW, 1), (Kind.UPSTREAM_DOWN, 1)):
        with pytest.raises(RegproxyError) as caught:
            await upstream.ask(Question(fake.url("/x"), patience=0.2))
        assert (kind, asked, 0) == (caught.value.kind, len(fake.requests), upstream.connections)
    assert upstream.assumed_offline
    await deferLater(REACTOR, 0.5)
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("seconds", [1.0, pytest.param(source.SLOW_SECONDS, marks=pytest.mark.full)])
async def test_a_trickle(fake: FakeUpstream, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A byte from time to time is no silence, and yet given up: the slot is free, and the connection closed."""
    monkeypatch.setattr(source, "SLOW_SECONDS", seconds)
    script = Script(BODY[:600], pace=(1, seconds / 60))
    assert await kind_of(fake, script, socket_timeout_millis=int(seconds * 500)) == Kind.UPSTREAM_SLOW
    await deferLater(REACTOR, 0.2)
    assert not fake.open


@pytest_twisted.ensureDeferred
async def test_stall(fake: FakeUpstream) -> None:
    """A body that stops is given up after the socket timeout."""
    gate: Deferred[None] = Deferred()
    assert await kind_of(fake, Script(BODY, hold=(1000, gate)), socket_timeout_millis=200) == Kind.UPSTREAM_SLOW
    gate.callback(None)


@pytest_twisted.ensureDeferred
async def test_our_own_pause_is_no_stall(fake: FakeUpstream) -> None:
    """While a consumer pauses, nothing is held against the upstream; and no more than buffers fill up."""
    large = bytes(64 << 20)
    fake.answers["/x"] = Script(large)
    upstream = upstream_for(reactor, fake.url(), socket_timeout_millis=200)
    reply = await upstream.ask(Question(fake.url("/x")))
    bucket = Bucket(pause_at=1 << 20)
    done = reply.source.deliver(bucket)
    await deferLater(REACTOR, 0.7)
    assert not done.called
    taken = len(bucket.data)
    assert (1 << 20) <= taken < (2 << 20)
    assert fake.written < 24 << 20
    bucket.resumable.resumeProducing()
    await done
    assert len(large) == len(bucket.data)
    await upstream.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("when", [0, 1 << 20])
async def test_cancel(fake: FakeUpstream, when: int) -> None:
    """Cancelling a delivery drops the connection and frees the slot; not a byte comes after it."""
    fake.answers["/x"] = Script(bytes(64 << 20))
    upstream = upstream_for(reactor, fake.url())
    reply = await upstream.ask(Question(fake.url("/x")))
    bucket = Bucket(pause_at=when or None)
    done = reply.source.deliver(bucket)
    while len(bucket.data) < when:
        await deferLater(REACTOR, 0.01)
    done.cancel()
    taken = len(bucket.data)
    with pytest.raises(CancelledError):
        await done
    await deferLater(REACTOR, 0.1)
    assert (taken, 0, set()) == (len(bucket.data), upstream.connections, fake.open)
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_slots(fake: FakeUpstream) -> None:
    """No more connections than allowed are in use; the next question waits until a body has ended."""
    gate: Deferred[None] = Deferred()
    fake.answers["/x"] = Script(BODY, hold=(10, gate))
    fake.answers["/y"] = Script(b"y")
    upstream = upstream_for(reactor, fake.url(), max_connections=2)
    first = [await upstream.ask(Question(fake.url("/x"))) for _ in range(2)]
    third = Deferred.fromCoroutine(get(upstream, fake.url("/y")))
    await deferLater(REACTOR, 0.05)
    assert (third.called, len(fake.requests)) == (False, 2)
    first[0].source.abort()
    assert await third == (200, b"y")
    gate.callback(None)
    assert await read(first[1]) == BODY
    assert upstream.connections == 0
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_large_reads(fake: FakeUpstream) -> None:
    """Bodies are read in larger pieces than Twisted's."""
    fake.answers["/x"] = Script(bytes(8 << 20))
    upstream = upstream_for(reactor, fake.url())
    reply = await upstream.ask(Question(fake.url("/x")))
    pieces: list[int] = []

    class Counting(Bucket):
        def write(self, data: bytes) -> None:
            pieces.append(len(data))

    await reply.source.deliver(Counting())
    assert sum(pieces) == 8 << 20
    assert max(pieces) > 64 << 10
    assert len(pieces) <= math.ceil((8 << 20) / (64 << 10))
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_refused() -> None:
    """A port where nobody listens is an upstream that is down, and is left alone then."""
    gone = FakeUpstream(reactor).start()
    url = gone.url("/x")
    await gone.stop()
    upstream = upstream_for(reactor, url)
    with pytest.raises(RegproxyError, match="refuses connections"):
        await upstream.ask(Question(url))
    assert upstream.assumed_offline
    with pytest.raises(RegproxyError, match="tried again in"):
        await upstream.ask(Question(url))


@pytest_twisted.ensureDeferred
async def test_offline(fake: FakeUpstream) -> None:
    """An upstream that is set offline is not asked."""
    upstream = upstream_for(reactor, fake.url(), offline=True)
    with pytest.raises(RegproxyError, match="set offline"):
        await upstream.ask(Question(fake.url("/x")))
    assert (fake.requests, upstream.assumed_offline) == ([], True)
