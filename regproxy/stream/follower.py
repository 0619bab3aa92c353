"""Followers: one client that reads a blob, stored or growing, at its own pace from its own offset.

Rules:

1. A follower owns nothing but a position. It sends what exists up to its ``stop``, waits when there is no more, and never
   asks anybody else to wait.
2. On a plain TCP transport the kernel sends from the file (``os.sendfile``); everywhere else, and for bodies of unknown length,
   it is ``pread`` and ``write``. ``can_sendfile`` is the one place that decides. Either way it is at most ``BURST`` bytes in a
   reactor turn, and less where many are sending (``turns``).
3. Pages that are not in memory are fetched in a thread first (``pages``): neither way waits for a disk in the reactor.
4. When the blob fails the connection is aborted (``parting``): the client sees a body that is too short, never other bytes. A
   blob that succeeds is the only way to a body that ends well.
5. What a blob that is not kept has no more (``passed``) comes from a detour of the follower's own, once.
6. A client that takes no byte for ``LOOK`` seconds stalls, of which one client may not have many at a time (``stalls``); after
   ``STALL`` seconds it is dropped. Taking from what the kernel has queued counts, waiting for upstream is not its fault.
"""

import errno
import os
from typing import Protocol, cast

from attrs import Factory, define, field, frozen
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer, IPushProducer, IReactorTime, ITCPTransport
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from regproxy.model.ranges import Span
from regproxy.stream import pages
from regproxy.stream.idle import IdleWatch
from regproxy.stream.parting import part
from regproxy.stream.pool import WriterPool
from regproxy.stream.source import Readable
from regproxy.stream.stalls import Stalls, untaken
from regproxy.stream.turns import Turns

BURST = 1 << 20
READ = 256 << 10
READS_A_TURN = 4
LOOK = 30.0
STALL = 15 * 60.0


class ClientGone(Exception):  # noqa: N818 - not an error of anybody here
    """The client left before it had everything, or was cut off."""


class Response(Protocol):
    """What a follower needs of a request: Twisted's, with the bytes that went past ``write`` counted too."""

    channel: HTTPChannel
    sentLength: int  # noqa: N815 - Twisted's name

    @property
    def accountable(self) -> str:
        """The client whose limits it counts for."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001, N802 - Twisted's
        """Be paused and resumed."""

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's
        """No more of it."""


@frozen
class Sending:
    """What followers share: the clock, the threads that fetch cold pages, and whether the kernel may send."""

    clock: IReactorTime
    readers: WriterPool
    sendfile: bool = True
    stalls: Stalls = field(factory=Stalls)
    turns: Turns = field(default=Factory(lambda sending: Turns(sending.clock), takes_self=True))


def can_sendfile(request: Response, sending: Sending, span: Span | None) -> bool:
    """Only a plain TCP transport under HTTP/1.1, with a length that was announced."""
    channel = request.channel
    return (
        sending.sendfile
        and span is not None
        and type(channel.transport) is tcp.Server
        and not channel.transport.TLS
        and channel._networkProducer is channel.transport  # noqa: SLF001 - pinned by tests/wire/test_sendfile.py
    )


async def follow(request: Response, readable: Readable, span: Span | None, sending: Sending, *, early: bool = False) -> None:
    """Send a span of a blob, all of it if None; returns when the last byte is with the transport.

    Raises:
        ClientGone: the connection is lost, or was aborted because the blob failed.
    """
    kind = _Kernel if can_sendfile(request, sending, span) else _Copying
    await kind(request, readable, span or Span(0, 0), sending, early=early, open_ended=span is None).run()


@define(eq=False)
class _Follower:
    """The position, the waiting and the ending, common to both ways of sending."""

    _request: Response
    _readable: Readable
    _span: Span
    _sending: Sending
    _early: bool = field(kw_only=True)
    _open_ended: bool = field(kw_only=True)
    _position: int = field(init=False)
    _waiting: bool = field(default=False, init=False)
    _fetching: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)
    _left: Readable | None = field(default=None, init=False)
    _rest: Readable | None = field(default=None, init=False)
    _done: Deferred[None] = field(init=False)
    _stall: IdleWatch = field(init=False)
    _quiet: float = field(default=0.0, init=False)
    _queued: int | None = field(default=None, init=False)
    _counted: str | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._position = self._span.start
        self._done = Deferred(lambda _: self._end())
        self._stall = IdleWatch(self._sending.clock, LOOK, self._stalled)

    async def run(self) -> None:
        """Send everything."""
        self._readable.watch(self._grown, None if self._open_ended else self._span, early=self._early)
        self._stall.start()
        try:
            self._attach()
            await self._done
        finally:
            self._end()

    def _attach(self) -> None:
        raise NotImplementedError  # each way registers itself with a different object

    def _detach(self) -> None:
        raise NotImplementedError

    def _send(self) -> None:
        raise NotImplementedError

    def _ready(self, most: int) -> int:
        """How many bytes may be sent now; 0 after it has seen to what happens instead."""
        stop = self._readable.reach(self._position, early=self._early)
        if not self._open_ended:
            stop = min(stop, self._span.stop)
        count = min(most, stop - self._position)
        if count > 0:
            if pages.is_hot(self._readable.fileno(self._position), self._position, count):
                return count
            self._fetch(count)
        elif self._finished():
            self._finish()
        elif self._readable.failed is None and self._readable.passed(self._position):
            self._detour()
        elif self._readable.failed is not None or self._readable.complete:
            self._abort()
        else:
            self._waiting = True
        return 0

    def _detour(self) -> None:
        """The bytes from here on went by: go on with what has them, which is ours alone."""
        if self._left is not None:
            self._abort()
            return
        self._left = self._readable
        self._left.unwatch(self._grown)
        self._fetching = True
        self._left.detour(self._position).addCallbacks(self._rejoined, self._unreadable)

    def _rejoined(self, readable: Readable) -> None:
        if self._ended:
            readable.release()
            return
        self._readable = self._rest = readable
        readable.watch(self._grown)
        self._fetched(None)

    def _finished(self) -> bool:
        if self._open_ended:
            return self._readable.complete and self._position == self._readable.size
        return self._position >= self._span.stop

    def _sent(self, count: int) -> None:
        self._position += count
        self._stall.note(count)
        if self._quiet:
            self._go_on()

    def _grown(self) -> None:
        if self._waiting:
            self._waiting = False
            self._send()
        elif self._readable.failed is not None:
            self._abort()

    def _fetch(self, count: int) -> None:
        self._fetching = True
        fd, offset = self._readable.fileno(self._position), self._position
        self._sending.readers.run(lambda: pages.warm(fd, offset, count)).addCallbacks(self._fetched, self._unreadable)

    def _fetched(self, _: None) -> None:
        self._fetching = False
        if not self._ended:
            self._send()

    def _unreadable(self, _: Failure) -> None:
        self._fetching = False
        self._readable.doubt()
        self._abort()

    def _stalled(self) -> None:
        before, self._queued = self._queued, self._untaken()
        takes = self._queued is not None and (before is None or self._queued < before)
        if self._waiting or self._fetching or takes:
            self._go_on()
        else:
            self._quiet += LOOK
            if self._counted is None and self._sending.stalls.enter(self._request.accountable):
                self._counted = self._request.accountable
            if self._counted is None or self._quiet >= STALL:
                self._abort(takes=False)
                return
        self._stall.start()

    def _untaken(self) -> int | None:
        """What the kernel still has for the client; None where we cannot ask it."""
        transport = self._request.channel.transport
        return untaken(transport.socket) if type(transport) is tcp.Server else None

    def _go_on(self) -> None:
        self._quiet = 0.0
        if self._counted is not None:
            self._sending.stalls.leave(self._counted)
            self._counted = None

    def _finish(self) -> None:
        if not self._ended:
            self._end()
            self._done.callback(None)

    def _abort(self, *, takes: bool = True) -> None:
        """Cut the connection; its loss comes back to us as ``stopProducing``, or has come already."""
        if not self._ended:
            self._end()
            transport = cast(ITCPTransport, self._request.channel.transport)
            if takes:
                part(transport, self._sending.clock)
            else:
                transport.abortConnection()
            self._done.errback(Failure(ClientGone("cut off")))

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._readable.unwatch(self._grown)
            self._stall.stop()
            self._go_on()
            self._detach()
            if self._left is not None:
                self._left.returned()
            if self._rest is not None:
                self._rest.release()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is lost."""
        if not self._ended:
            self._end()
            self._done.errback(Failure(ClientGone("connection lost")))


@implementer(IPullProducer)
@define(eq=False)
class _Kernel(_Follower):
    """Sends by ``os.sendfile``: it takes the channel's place as the transport's producer while the body lasts."""

    def _attach(self) -> None:
        self._request.write(b"")  # the headers, which must leave before the kernel sends past Twisted's buffer
        transport = self._transport()
        transport.unregisterProducer()
        # One push flag for each spliced page would double the kernel's work.
        transport.setTcpNoDelay(False)
        transport.registerProducer(self, False)  # noqa: FBT003 - Twisted's signature

    def _detach(self) -> None:
        transport = self._transport()
        if transport is None or not transport.connected or transport.disconnected:
            return
        transport.unregisterProducer()
        transport.setTcpNoDelay(True)
        transport.registerProducer(self._request.channel, True)  # noqa: FBT003 - Twisted's signature

    def _transport(self) -> "tcp.Server":
        return cast(tcp.Server, self._request.channel.transport)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The transport's own buffer is empty."""
        transport = self._transport()
        if transport.dataBuffer or transport._tempDataLen:  # noqa: SLF001 - pinned by tests/wire/test_sendfile.py
            transport.startWriting()
        elif not (self._waiting or self._fetching or self._ended):
            self._send()

    def _send(self) -> None:
        count = self._ready(self._sending.turns.share(BURST))
        if not count:
            return
        transport = self._transport()
        try:
            sent = os.sendfile(transport.socket.fileno(), self._readable.fileno(self._position), self._position, count)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            if error.errno == errno.EIO:  # the file's; a socket has other words
                self._readable.doubt()
            self._abort()
            return
        else:
            if not sent:  # the file is shorter than it was
                self._readable.doubt()
                self._abort()
                return
        self._request.sentLength += sent
        self._sent(sent)
        if self._finished():
            self._finish()
        else:
            transport.startWriting()


@implementer(IPushProducer)
@define(eq=False)
class _Copying(_Follower):
    """Sends by ``pread`` and ``write``: TLS, bodies of unknown length, and whatever is not a TCP socket."""

    _paused: bool = field(default=False, init=False)

    def _attach(self) -> None:
        self._request.registerProducer(self, True)  # noqa: FBT003 - Twisted's signature
        self._send()

    def _detach(self) -> None:
        self._request.unregisterProducer()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The client is slower than we are."""
        self._paused = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It has caught up."""
        self._paused = False
        if not (self._waiting or self._fetching or self._ended):
            self._send()

    def _send(self) -> None:
        left = self._sending.turns.share(READ * READS_A_TURN)
        while left > 0:
            if self._paused or self._ended:
                return
            count = self._ready(min(READ, left))
            if not count:
                return
            try:
                data = os.pread(self._readable.fileno(self._position), count, self._position)
            except OSError:
                data = b""
            if not data:
                self._readable.doubt()
                self._abort()
                return
            left -= len(data)
            self._sent(len(data))
            self._request.write(data)
        if not self._paused and not self._ended:
            self._sending.clock.callLater(0, self._again)

    def _again(self) -> None:
        if not (self._paused or self._waiting or self._fetching or self._ended):
            self._send()
