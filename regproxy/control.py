"""``dataDir/control.sock``: what the commands of ``regproxy`` ask a running server, as JSON over HTTP on a UNIX socket (0600).

Whoever may open the socket may ask: it lies in a folder that only the server's user enters. A socket that a crash left behind is
replaced; the lock of the data directory (``lock.py``) is what keeps a second server away, so take that first.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReactorUNIX
from twisted.web.http import Request
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Site

SOCKET = "control.sock"


class LiveFill(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact that is arriving from upstream.

    Attributes:
        received, size: bytes; the size is None where upstream did not say.
        age: seconds since the fill began.
        followers: clients that are reading it.
        rate: bytes per second, of late.
    """

    repository: str
    path: str
    received: int
    size: int | None
    age: float
    followers: int
    rate: float


class Draining(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server is on its way out, and what it waits for."""

    draining: bool
    responses: int
    fills: int


class DrainSwitch(Resource):
    """``POST /drain``: ends the server, in order; asking again says how far it is."""

    isLeaf = True  # noqa: N815 - the name that Twisted reads

    def __init__(self, drain: Callable[[], Draining]) -> None:
        Resource.__init__(self)
        self._drain = drain

    def render_POST(self, request: IRequest) -> bytes:  # noqa: N802 - the name that Twisted calls
        """Begin, or look."""
        request.setHeader(b"content-type", b"application/json")
        return msgspec.json.encode(self._drain())


class Told(Resource):
    """``GET``: what a callable says now."""

    isLeaf = True  # noqa: N815 - the name that Twisted reads

    def __init__(self, tell: Callable[[], object]) -> None:
        Resource.__init__(self)
        self._tell = tell

    def render_GET(self, request: IRequest) -> bytes:  # noqa: N802 - the name that Twisted calls
        """Ask it."""
        request.setHeader(b"content-type", b"application/json")
        return msgspec.json.encode(self._tell())


class ControlSite(Site):
    """A site that leaves no line in the log for each question."""

    noisy = False

    def log(self, request: Request) -> None:
        """Nobody wants to read this."""


class Control(Service):
    """The socket, from ``startService`` to ``stopService``; ``more`` are further addresses."""

    def __init__(
        self,
        reactor: IReactorUNIX,
        path: Path,
        fetches: Callable[[], Sequence[LiveFill]],
        more: Mapping[bytes, Resource] = MappingProxyType({}),
    ) -> None:
        self._reactor = reactor
        self.path = path
        self._root = Resource()
        self._root.putChild(b"fetches", Told(fetches))
        for name, resource in more.items():
            self._root.putChild(name, resource)
        self._port: IListeningPort | None = None

    def startService(self) -> None:  # noqa: N802 - the name that Twisted calls
        """Listen, in place of a socket that nobody serves any more."""
        Service.startService(self)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        site: Any = ControlSite(self._root)  # the stubs of listenUNIX ask for a factory of one kind of protocol
        self._port = self._reactor.listenUNIX(str(self.path), site, mode=0o600)

    def stopService(self) -> Deferred[None] | None:  # noqa: N802 - the name that Twisted calls
        """Stop listening; Twisted removes the socket."""
        Service.stopService(self)
        port, self._port = self._port, None
        return None if port is None else port.stopListening()
