"""A remote repository without sockets or threads: scripted upstream, memory store and index, a clock."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.generic import FORMAT
from regproxy.index.memory import MemoryIndex
from regproxy.model.digest import Digest
from regproxy.model.fetch import Fetch, Hop, announced
from regproxy.model.freshness import IMMUTABLE, Freshness
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Shape, Want
from regproxy.repo.eviction import Eviction
from regproxy.repo.interface import Body as Answered
from regproxy.repo.parts import Parts
from regproxy.repo.remote import Remote
from regproxy.repo.room import Room
from regproxy.repo.shelf import Shelf
from regproxy.sharing.flights import Sharing, Unshared
from regproxy.store.memory import MemoryStore
from regproxy.stream.pool import WriterPool
from regproxy.stream.source import Consumer
from regproxy.upstream.interface import Question, Reply
from regproxy.upstream.restraint import Restrained

T = TypeVar("T")

BIG = bytes(range(256)) * 1024  # 256 KiB
SMALL = b"small"


class InlinePool(WriterPool):
    """Runs jobs at once, in the caller's thread."""

    def __init__(self) -> None:
        """Needs no reactor."""

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Run a job."""
        return maybeDeferred(work)


class Producer:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.paused = False

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Pause."""
        self.paused = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Resume."""
        self.paused = False

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Stop."""


@define(eq=False)
class Body:
    """A source that sends what the test tells it to."""

    length: int | None
    consumer: Consumer | None = field(default=None, init=False)
    aborted: bool = field(default=False, init=False)
    _done: "Deferred[None]" = field(init=False)

    def deliver(self, consumer: Consumer) -> "Deferred[None]":
        """Begin."""
        self.consumer = consumer
        self._done = Deferred(lambda _: self.abort())
        consumer.start(Producer())  # type: ignore[arg-type] # as much of a producer as is used
        return self._done

    def abort(self) -> None:
        """Drop it."""
        self.aborted = True

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self.consumer is not None
        self.consumer.write(data)

    def end(self) -> None:
        """Complete by its framing."""
        self._done.callback(None)

    def cut(self, kind: Kind = Kind.UPSTREAM_DOWN) -> None:
        """Break off."""
        self._done.errback(RegproxyError(kind, "cut"))


@define(eq=False)
class ScriptedUpstream:
    """Notes questions; the test answers them, in order.

    Attributes:
        refuses: in place of an answer, at once: as for an upstream that is left alone.
    """

    name: str = "upstream.example:443"
    refuses: RegproxyError | None = None
    assumed_offline: bool = False
    doubtful: bool = False
    questions: list[Question] = field(factory=list, init=False)
    _waiting: list[Any] = field(factory=list, init=False)

    async def ask(self, question: Question) -> Reply:
        """Wait for the test's answer."""
        self.questions.append(question)
        if self.refuses is not None:
            raise self.refuses
        waiting: Deferred[Reply] = Deferred()
        self._waiting.append(waiting)
        return await waiting

    async def close(self) -> None:
        """Nothing is open."""

    def answer(self, status: int, body: Body | None = None, **headers: str) -> Body:
        """Answer the oldest question."""
        sent = body or Body(0)
        fields = Headers.of(**headers)
        if sent.length is not None and fields.first("content-length") is None:
            fields = fields.plus(("content-length", str(sent.length)))
        hop = Hop("https://upstream.example/x", status, fields)
        self._waiting.pop(0).callback(Reply((hop,), sent))
        return sent

    def fail(self, kind: Kind = Kind.UPSTREAM_DOWN, retry_after: int | None = None) -> None:
        """Do not answer the oldest question."""
        self._waiting.pop(0).errback(RegproxyError(kind, "upstream.example:443 cannot be reached", retry_after=retry_after))


class Planned:
    """The generic format, with plans that the test may change."""

    package_types = FORMAT.package_types
    rclasses = FORMAT.rclasses
    api = None
    auto = None
    resource = FORMAT.resource
    mounts = FORMAT.mounts
    failure = FORMAT.failure
    admits = FORMAT.admits

    def __init__(self) -> None:
        self.change: Callable[[Fetch], Fetch] = lambda fetch: fetch

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """Immutable for blobs, a minute for the others; the want's digest is what is expected."""
        freshness = IMMUTABLE if want.shape is Shape.BLOB else Freshness(60.0)
        fetch = Fetch(f"{settings.url}/{want.path}", freshness)
        return self.change(evolve(fetch, read=lambda hops: announced(hops, digest=want.digest)))


class Counting:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.fills: list[int] = []
        self.wrong = 0
        self.lost: list[str] = []
        self.passed = 0
        self.checked: list[int] = []
        self.evictions: list[tuple[str, int]] = []

    def filled(self, repository: str, size: int) -> None:
        """A fill has landed."""
        self.fills.append(size)

    def verification_failed(self, repository: str) -> None:
        """A body was wrong."""
        self.wrong += 1

    def blob_checked(self, size: int) -> None:
        """A stored blob was read through."""
        self.checked.append(size)

    def blob_lost(self, why: str) -> None:
        """A stored blob was bad."""
        self.lost.append(why)

    def evicted(self, why: str, size: int) -> None:
        """A blob was taken out."""
        self.evictions.append((why, size))

    def not_kept(self, repository: str) -> None:
        """A body passed through."""
        self.passed += 1


@define(eq=False)
class Bench:
    """Everything that a test of a remote needs."""

    remote: Remote
    upstream: ScriptedUpstream
    clock: Clock
    store: MemoryStore
    index: MemoryIndex
    format: Planned
    recorder: Counting
    parts: Parts

    def resolve(self, want: Want) -> list[Any]:
        """Ask; the list has the answer, or the failure, once there is one."""
        got: list[Any] = []
        Deferred.fromCoroutine(self.remote.resolve(want)).addBoth(got.append)
        return got


def bench(*, store: MemoryStore | None = None, sharing: Sharing | None = None, **settings: Any) -> Bench:
    """Make a remote; settings are the keys of its configuration in snake case."""
    clock = Clock()
    clock.advance(1_000_000.0)
    store = store or MemoryStore(clock=clock.seconds)
    index, upstream, planned, recorder = MemoryIndex(), ScriptedUpstream(), Planned(), Counting()
    index.start()
    pool = InlinePool()
    room = Room(store, index, pool, pool, clock, recorder, Eviction(store, index, pool, recorder))
    parts = Parts(store, index, pool, pool, clock, recorder, room, sharing=sharing or Unshared())
    made = RepositorySettings(key="r", rclass="remote", **{"url": "https://upstream.example", **settings})
    remote = Remote(made, planned, Restrained(upstream, clock), parts, Shelf(parts))
    return Bench(remote, upstream, clock, store, index, planned, recorder, parts)


def digest_of(data: bytes) -> Digest:
    """The SHA-256 of bytes."""
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def chunks(data: bytes, size: int = 10_000) -> Sequence[bytes]:
    """Split bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def blob(data: bytes, path: str = "a/b", **more: Any) -> Want:
    """An immutable want with its digest."""
    return Want(path, Shape.BLOB, digest=digest_of(data), **more)


def fetched(made: Bench, want: Want, data: bytes, **headers: str) -> Answered:
    """Fill once and return the answer to the next request."""
    got = made.resolve(want)
    body = made.upstream.answer(200, Body(len(data)), **headers)
    for chunk in chunks(data):
        body.send(chunk)
    body.end()
    got[0].readable.release()
    (answer,) = made.resolve(want)
    assert isinstance(answer, Answered)
    return answer


def content(answer: Answered) -> bytes:
    """All bytes of a complete body, which is released."""
    assert answer.readable.complete
    assert answer.readable.size is not None
    data = os.pread(answer.readable.fileno(), answer.readable.size, 0)
    answer.readable.release()
    return data
