"""A ProxySite on a loopback port, and a client that writes whatever bytes a test wants to."""

import socket
from collections.abc import Callable
from typing import Any, Self, cast

from attrs import define, field, frozen
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.threads import deferToThread
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from regproxy.repo.interface import Answer, Missing, Refused, Text, Unavailable
from regproxy.stream.follower import Sending
from regproxy.web.errors import envelope
from regproxy.web.paths import split_path
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import Responder
from regproxy.web.site import ProxySite
from tests.fakes.remote import InlinePool

reactor = cast(PosixReactorBase, installed)
SECONDS = 5.0


def shape(answer: Missing | Refused | Unavailable) -> Text:
    """Refusals as an envelope."""
    status = 404 if isinstance(answer, Missing) else answer.status
    return envelope(status, answer.reason)


class Answering(Resource):
    """Answers every request by what ``answer`` makes of it."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, answer: Callable[[ProxyRequest], Answer], *, sendfile: bool = True) -> None:
        super().__init__()
        self.answer = answer
        self.responder = Responder(Sending(reactor, InlinePool(), sendfile=sendfile), shape)

    def render(self, request: ProxyRequest) -> int:
        """Answer."""
        request.segments = split_path(request.path).segments
        Deferred.fromCoroutine(self._send(request)).addErrback(request.processingFailed)
        return int(NOT_DONE_YET)

    async def _send(self, request: ProxyRequest) -> None:
        await self.responder.send(request, self.answer(request))
        if not request._disconnected:
            request.finish()


@frozen
class Reply:
    """One response; the body is what came, however many bytes were announced."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A blocking connection, to be used in a thread."""

    def __init__(self, port: int, *, small: bool = False) -> None:
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send; a server that has closed already is no failure here."""
        try:
            self.socket.sendall(data)
        except OSError:
            return

    def reply(self, *, head: bool = False) -> Reply:
        """Read a response; ``ConnectionError`` if there is none."""
        line = self.file.readline()
        if not line:
            raise ConnectionError("closed")
        headers: dict[str, str] = {}
        while (field_line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = field_line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        status = int(line.split()[1])
        bodiless = head or status in (204, 304) or status < 200
        body = b"" if bodiless else self._body(headers)
        return Reply(status, headers, body)

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(self._line(), 16):
                parts.append(self.file.read(size))
                self._line()
            self._line()
            return b"".join(parts)
        length = headers.get("content-length")
        return self.file.read() if length is None else self.file.read(int(length))

    def _line(self) -> bytes:
        line = self.file.readline()
        if not line:
            raise ConnectionError("cut")
        return line

    def is_open(self) -> bool:
        """Whether the connection takes another request."""
        self.send(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            self.reply()
        except ConnectionError:
            return False
        return True

    def close(self) -> None:
        """Leave."""
        self.file.close()
        self.socket.close()


@define(eq=False)
class Stage:
    """The site, while it listens; ``recorded`` are the requests that have ended."""

    resource: IResource
    recorded: list[ProxyRequest] = field(factory=list, init=False)
    _port: Any = field(default=None, init=False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._port.getHost().port)

    async def __aenter__(self) -> Self:
        site = ProxySite(self.resource, reactor, self.recorded.append)
        self._port = reactor.listenTCP(0, site, interface="127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._port.stopListening()

    async def ask(self, work: Callable[[Client], Any], *, small: bool = False) -> Any:
        """Call with a connected client in a thread, which is closed then."""

        def talk() -> Any:
            client = Client(self.port, small=small)
            try:
                return work(client)
            finally:
                client.close()

        return await deferToThread(talk)

    async def get(self, *fields: str, method: str = "GET") -> Reply:
        """Ask for ``/f`` with further header lines."""
        lines = [f"{method} /f HTTP/1.1", "Host: a", *fields, "", ""]

        def work(client: Client) -> Reply:
            client.send("\r\n".join(lines).encode())
            return client.reply(head=method == "HEAD")

        return cast(Reply, await self.ask(work))
