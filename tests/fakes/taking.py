"""A resource that takes bodies in the ways that routes do, and tells what it got."""

import hashlib
from collections.abc import Callable

from attrs import define, field
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer

from regproxy.repo.interface import Text
from regproxy.web.body import RequestBody, read_whole
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app
from tests.fakes.site import reactor

LIMIT = 1 << 20
METHODS = ["PUT", "PATCH", "POST"]


@define(eq=False)
class Digesting:
    """Hashes what comes; with ``rest``, it wants nothing for so many seconds behind each chunk."""

    rest: float | None = None
    size: int = 0
    chunks: int = 0
    late: int = 0
    hash: "hashlib._Hash" = field(factory=hashlib.sha256)
    producer: IPushProducer | None = None
    paused: bool = False

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self.producer = producer

    def write(self, data: bytes) -> None:
        """Take a chunk."""
        self.size += len(data)
        self.chunks += 1
        self.late += self.paused
        self.hash.update(data)
        if self.rest is not None and self.producer is not None and not self.paused:
            self.paused = True
            self.producer.pauseProducing()
            reactor.callLater(self.rest, self._resume, self.producer)

    def _resume(self, producer: IPushProducer) -> None:
        self.paused = False
        producer.resumeProducing()

    @property
    def told(self) -> str:
        """Size and digest."""
        return f"{self.size} {self.hash.hexdigest()}"


@define(eq=False, slots=False)
class Taking:
    """The routes; ``endings`` says how the bodies ended that were taken."""

    app = new_app()
    register(app, envelope)
    endings: list[str] = field(factory=list)
    bodies: list[RequestBody] = field(factory=list)
    seen: Callable[[Digesting], None] = lambda _: None
    gate: Deferred[None] = field(factory=Deferred)

    def resource(self) -> object:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    async def _take(self, request: ProxyRequest, rest: float | None) -> None:
        consumer = Digesting(rest)
        self.seen(consumer)
        self.bodies.append(request.body)
        try:
            await request.body.deliver(consumer)
        except BaseException as error:
            self.endings.append(type(error).__name__)
            raise
        self.endings.append("complete")
        send_text(request, Text(consumer.told.encode(), "text/plain"))

    @app.route("/take", methods=METHODS)
    async def take(self, request: ProxyRequest) -> None:
        """Take it as it comes."""
        await self._take(request, None)

    @app.route("/rest", methods=METHODS)
    async def rest(self, request: ProxyRequest) -> None:
        """Rest behind each chunk."""
        await self._take(request, 0.001)

    @app.route("/late", methods=METHODS)
    async def late(self, request: ProxyRequest) -> None:
        """Look at nothing until the gate opens."""
        await self.gate
        await self._take(request, None)

    @app.route("/refuse", methods=METHODS)
    async def refuse(self, request: ProxyRequest) -> None:
        """Refuse at once."""
        send_text(request, envelope(401, "not without credentials"))

    @app.route("/chatty", methods=METHODS)
    async def chatty(self, request: ProxyRequest) -> None:
        """Answer in chunks, without a look at the body."""
        request.write(b"first")
        request.write(b"second")

    @app.route("/small", methods=METHODS)
    async def small(self, request: ProxyRequest) -> None:
        """Read a small one into memory."""
        send_text(request, Text(b"%d" % len(await read_whole(request.body, LIMIT)), "text/plain"))

    @app.route("/again", methods=["GET"])
    async def again(self, request: ProxyRequest) -> None:
        """Answer what comes behind."""
        send_text(request, Text(b"again", "text/plain"))
