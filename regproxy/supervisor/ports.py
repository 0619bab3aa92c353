"""Listening sockets that one process opens and others accept from.

The supervisor opens every port of the configuration, but never accepts; a worker makes the same endpoints on a reactor that
takes an open socket wherever one is asked to be made. A socket that is open all the time loses no connection while workers come
and go; with SO_REUSEPORT those in the queue of a worker that ends would be reset.
"""

import socket
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from attrs import define, field
from twisted.internet import unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Factory
from twisted.internet.ssl import ContextFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from regproxy.ending import in_turn
from regproxy.model.settings import Server
from regproxy.standing import endpoints


@define(eq=False)
class Ports:
    """The sockets, as the supervisor has them."""

    _open: list[IListeningPort] = field(factory=list, init=False)

    async def open(self, reactor: PosixReactorBase, server: Server) -> None:
        """Open all ports of a configuration, or none."""
        try:
            for endpoint in endpoints(reactor, server):
                port = await endpoint.listen(Factory())
                cast(Any, port).stopReading()  # it has not accepted yet: that takes a turn of the reactor
                cast(Any, port)._shouldShutdown = False  # noqa: SLF001 - it would end for workers, who may be about to accept
                self._open.append(port)
        except BaseException:
            await self.close()
            raise

    def descriptors(self) -> list[int]:
        """What workers are given."""
        return [cast(Any, port).fileno() for port in self._open]

    async def close(self) -> None:
        """Close ours; a worker's own stay open."""
        ports, self._open = self._open, []
        await in_turn(*(port.stopListening for port in ports))


class _SharedUnixPort(unix.Port):
    """A UNIX socket of which others accept, too: its name and its mode are theirs as well, and it is never shut down.

    Twisted's own way to adopt one does all of that; the private names are pinned by tests/supervisor/test_ports.py.
    """

    _shouldShutdown = False  # noqa: N815 - Twisted's name

    def adopt(self, taken: socket.socket) -> None:
        """Accept from a socket that listens."""
        self._preexistingSocket = taken
        self._bindPath = b"\0"  # what is not in the file system is neither given a mode nor removed
        self.startListening()


@define(eq=False)
class Adopting:
    """A reactor whose listening ports are those that it was given, in their order; everything else is the real one's."""

    _reactor: PosixReactorBase
    _descriptors: list[int]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def _adopt(self, factory: IProtocolFactory) -> IListeningPort:
        taken = socket.socket(fileno=self._descriptors.pop(0))
        try:
            port: IListeningPort = self._reactor.adoptStreamPort(taken.fileno(), taken.family, factory)
        finally:
            taken.close()  # Twisted has a duplicate
        return port

    def listenTCP(self, port: int, factory: IProtocolFactory, *_: object, **__: object) -> IListeningPort:  # noqa: ARG002, N802 - Twisted's
        """Take the next one."""
        return self._adopt(factory)

    def listenUNIX(self, address: str, factory: IProtocolFactory, *_: object, **__: object) -> IListeningPort:  # noqa: ARG002, N802 - Twisted's
        """Take the next one."""
        port = _SharedUnixPort(b"", factory, reactor=self._reactor)
        port.adopt(socket.socket(fileno=self._descriptors.pop(0)))
        return cast(IListeningPort, port)

    def listenSSL(  # noqa: N802 - Twisted's name
        self,
        port: int,  # noqa: ARG002 - Twisted's signature
        factory: IProtocolFactory,
        contextFactory: ContextFactory,  # noqa: N803 - Twisted's name
        *_: object,
        **__: object,
    ) -> IListeningPort:
        """Take the next one and speak TLS on it."""
        return self._adopt(TLSMemoryBIOFactory(contextFactory, False, factory, self._reactor))  # noqa: FBT003 - Twisted's signature


def adopted(reactor: PosixReactorBase, server: Server, descriptors: Sequence[int]) -> list[IStreamServerEndpoint]:
    """The endpoints of a worker."""
    # What systemd has opened it has opened for the supervisor: in a worker it is a socket like the others.
    listen = tuple("tcp:0" if text.startswith("systemd:") else text for text in server.listen)
    adopting = cast(PosixReactorBase, Adopting(reactor, list(descriptors)))
    return endpoints(adopting, msgspec.structs.replace(server, listen=listen))
