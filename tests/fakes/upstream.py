"""An upstream that does what a test tells it: bodies with pauses, cuts, lies; redirects, challenges; raw bytes as well.

Runs in the test's own reactor, on loopback, plain or TLS. It counts connections and keeps every request.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from regproxy.stream.observer import OneShot

PIECE = 64 << 10


@frozen
class Seen:
    """A request that came in; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


@frozen
class Script:
    """What is answered.

    Attributes:
        framing: ``length``, ``chunked`` or ``close`` (neither; the end of the connection is the end).
        length: what Content-Length says, if that is to be a lie.
        cut: end the connection after so many bytes of the body, by FIN, or by RST with ``reset``.
        flip: the byte whose lowest bit is turned.
        hold: (offset, gate): wait there until the Deferred fires.
        stall: send so many bytes of the body, and then nothing until the other side goes away.
        pace: (bytes, seconds): so many at a time, and that long between them.
        extra: sent behind the body, on a connection that stays.
        delay: seconds before the head.
        raw: sent as it is in place of everything else; the connection is ended behind it unless ``stay``.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    framing: str = "length"
    length: int | None = None
    cut: int | None = None
    reset: bool = False
    flip: int | None = None
    hold: "tuple[int, Deferred[None]] | None" = None
    stall: int | None = None
    pace: tuple[int, float] | None = None
    extra: bytes = b""
    delay: float = 0.0
    raw: bytes | None = None
    stay: bool = False


Answers = Script | Callable[[Seen], Script]


def redirect(location: str, status: int = 302, body: bytes = b"moved") -> Script:
    """A redirect."""
    return Script(body, status, {"location": location})


def challenge(value: str) -> Script:
    """A refusal that says what it wants."""
    return Script(b"who are you?", 401, {"www-authenticate": value})


@implementer(IPushProducer)
class Line(Protocol):
    """One connection."""

    def __init__(self, upstream: "FakeUpstream") -> None:
        self._upstream = upstream
        self._buffer = b""
        self._busy = False
        self._resumed: Deferred[None] | None = None
        self._gone = False
        self._lost: OneShot[None] = OneShot()

    @property
    def wire(self) -> Any:
        """The transport, whatever it is."""
        return self.transport

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Count it."""
        self._upstream.connections += 1
        self._upstream.open.add(self)
        self.wire.registerProducer(self, True)  # noqa: FBT003 - Twisted takes it so

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Gather a request."""
        self._buffer += data
        self._next()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Forget it."""
        self._gone = True
        self._upstream.open.discard(self)
        self._lost.fire(None)
        self.resumeProducing()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The client reads too slowly."""
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Go on."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It has gone."""
        self._gone = True

    def _next(self) -> None:
        if self._busy or b"\r\n\r\n" not in self._buffer:
            return
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._busy = True
        seen = Seen(method, path, fields)
        Deferred.fromCoroutine(self._answer(seen)).addBoth(self._answered)

    def _answered(self, result: object) -> None:
        if isinstance(result, Failure):
            self._upstream.failures.append(result)
            self.wire.abortConnection()
        self._busy = False
        self._next()

    async def _answer(self, seen: Seen) -> None:
        script = self._upstream.take(seen)
        if script.delay:
            await deferLater(self._upstream.reactor, script.delay)
        if script.raw is not None:
            await self._send(memoryview(script.raw))
            if not script.stay:
                self._end(reset=script.reset)
            return
        self._write(head_of(script))
        if seen.method == "HEAD" or script.status in {204, 304}:
            return
        whole = await self._body(script)
        self._write(script.extra)
        if not whole or script.framing == "close" or (script.length or 0) > len(script.body):
            self._end(reset=script.reset)

    async def _body(self, script: Script) -> bool:
        """Send it; False if it was cut."""
        body = memoryview(script.body if script.flip is None else _flipped(script.body, script.flip))
        end = len(body) if script.cut is None else script.cut
        chunked = script.framing == "chunked"
        held, gate = script.hold or (end, None)
        if script.stall is not None:
            held, gate = script.stall, self._lost.when()
        await self._send(body[: min(held, end)], chunked=chunked, pace=script.pace)
        if gate is not None:
            await gate
            await self._send(body[held:end], chunked=chunked, pace=script.pace)
        if script.cut is not None:
            return False
        if chunked:
            self._write(b"0\r\n\r\n")
        return True

    async def _send(self, view: memoryview, *, chunked: bool = False, pace: tuple[int, float] | None = None) -> None:
        size, seconds = pace or (PIECE, 0.0)
        for start in range(0, len(view), size):
            if self._resumed is not None:
                await self._resumed
            if self._gone:
                return
            piece = bytes(view[start : start + size])
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if seconds:
                await deferLater(self._upstream.reactor, seconds)

    def _write(self, data: bytes) -> None:
        if not self._gone:
            self._upstream.written += len(data)
            self.wire.write(data)

    def _end(self, *, reset: bool) -> None:
        if reset:
            # What was written is to arrive before the reset does.
            self._upstream.reactor.callLater(0.05, self.wire.abortConnection)
        else:
            # A transport does not close while it believes that its producer is paused.
            self.wire.unregisterProducer()
            self.wire.loseConnection()


def _flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def head_of(script: Script) -> bytes:
    """Status line and fields."""
    fields = dict(script.headers)
    if script.framing == "chunked":
        fields["transfer-encoding"] = "chunked"
    elif script.framing == "length" and script.status not in {204, 304}:
        fields["content-length"] = str(len(script.body) if script.length is None else script.length)
    lines = [f"HTTP/1.1 {script.status} Told so", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


@define(eq=False)
class FakeUpstream:
    """The server. ``answers`` maps a path, with its query or without, to what is answered; a list is used up one by one.

    Attributes:
        requests: every request, in order.
        connections: how many were ever made.
        open: those that are.
        written: bytes that were given to the sockets.
        failures: what went wrong in the fake itself; a test may look.
    """

    reactor: Any
    answers: dict[str, Answers | list[Answers]] = field(factory=dict)
    tls: Any = None
    host: str = "127.0.0.1"
    interface: str = "127.0.0.1"
    wanted_port: int = 0
    requests: list[Seen] = field(factory=list, init=False)
    connections: int = field(default=0, init=False)
    written: int = field(default=0, init=False)
    open: "set[Line]" = field(factory=set, init=False)
    failures: list[Failure] = field(factory=list, init=False)
    _port: IListeningPort | None = field(default=None, init=False)

    def start(self) -> "FakeUpstream":
        """Listen."""
        factory = Factory.forProtocol(lambda: Line(self))
        factory.noisy = False
        if self.tls is None:
            self._port = self.reactor.listenTCP(self.wanted_port, factory, interface=self.interface)
        else:
            self._port = self.reactor.listenSSL(self.wanted_port, factory, self.tls, interface=self.interface)
        return self

    async def stop(self) -> None:
        """Stop listening, and cut what is open."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        for line in list(self.open):
            line.wire.abortConnection()
        while self.open:
            await deferLater(self.reactor, 0.01)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._port is not None, "not started"
        number: int = self._port.getHost().port  # type: ignore[attr-defined] # a TCP port has one
        return number

    def url(self, path: str = "/", host: str = "") -> str:
        """The address of a path."""
        return f"{'http' if self.tls is None else 'https'}://{host or self.host}:{self.port}{path}"

    def count(self, path: str, method: str = "GET") -> int:
        """How often a path was asked for, whatever the query."""
        return sum(1 for seen in self.requests if seen.method == method and seen.path.partition("?")[0] == path)

    def take(self, seen: Seen) -> Script:
        """Note a request and look up its answer."""
        self.requests.append(seen)
        found = self.answers.get(seen.path, self.answers.get(seen.path.partition("?")[0]))
        if isinstance(found, list):
            found = found.pop(0) if found else None
        if found is None:
            return Script(b"no such thing", 404)
        return evolve(found) if isinstance(found, Script) else found(seen)
