"""The HTTP server: our request and our channel on Twisted's ``Site``, and the connections that are open.

While the server ``is_ending`` each response ends its connection, and a connection without a request is closed.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from regproxy.stream.places import Places
from regproxy.web.accel import Accel
from regproxy.web.channel import Edge
from regproxy.web.doors import Doors
from regproxy.web.request import ProxyRequest

IDLE_SECONDS = 75
NONE = Accel()


class ProxySite(Site):
    """A factory of our connections; ``record`` is told of each request that has ended."""

    noisy = False
    protocol = Edge  # type: ignore[assignment] # without Twisted's switch between HTTP/1.1 and HTTP/2

    def __init__(
        self,
        root: IResource,
        reactor: IReactorTime,
        record: Callable[[ProxyRequest], None],
        doors: Doors | None = None,
        requests: Places | None = None,
        idle_seconds: int = IDLE_SECONDS,
        accel: Accel = NONE,
    ) -> None:
        Site.__init__(
            self, root, requestFactory=ProxyRequest, timeout=idle_seconds, reactor=reactor, parsePOSTFormSubmission=False
        )
        self.displayTracebacks = False
        self.record = record
        self.open: set[Edge] = set()
        self.is_ending = False
        self.doors = doors or Doors()
        self.accel = accel
        self.requests = requests or Places()

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802 - Twisted's name
        """Take a connection, or None to close it at once."""
        return Site.buildProtocol(self, addr) if self.doors.admits(getattr(addr, "host", "")) else None

    @property
    def busy(self) -> int:
        """Connections with a request: one that is answered, or one that is still arriving."""
        return sum(channel.is_busy for channel in self.open)

    def close_idle(self) -> None:
        """Close every connection without a request."""
        for channel in list(self.open):
            if not channel.is_busy:
                channel.loseConnection()

    def cut(self) -> None:
        """Abort every connection."""
        for channel in list(self.open):
            channel.abort()

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's name
        """HTTP/1.1 only: HTTP/2 costs six times the processor time for a body; a proxy in front can speak it."""
        return [b"http/1.1"]

    def log(self, request: Request) -> None:
        """Twisted's own access log is off; ``record`` has it."""
