"""TLS listeners: ``[[server.listener]]``. Certificates are read again when their files change, for the next connection.

TLS 1.2 at least. With ``clientCa`` a client must show a certificate of that authority, or its connection fails in the handshake.
"""

import os
from typing import cast

from attrs import define, field
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.posixbase import PosixReactorBase
from twisted.protocols.tls import TLSMemoryBIOProtocol
from txaio.tx import make_logger
from zope.interface import implementer

from regproxy.model.settings import Listener
from regproxy.stream.wide_tls import WideTLSFactory

log = make_logger()

Stamp = tuple[tuple[int, int, int], ...]


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class ReloadingContext:
    """Makes the server's side of connections; ``OSError`` or ``SSL.Error`` at the first for files that are no good."""

    _listener: Listener
    _stamp: Stamp = field(default=(), init=False)
    _context: SSL.Context | None = field(default=None, init=False)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002, N802 - Twisted's
        """One connection's OpenSSL object."""
        return SSL.Connection(self.context(), None)

    def context(self) -> SSL.Context:
        """The context of the files as they are; of the last good ones while new ones are no good."""
        try:
            stamp = self._look()
            if self._context is None or stamp != self._stamp:
                self._context, self._stamp = self._load(), stamp
        except (OSError, SSL.Error) as error:
            if self._context is None:
                raise
            log.error("the certificate of {address} was not reloaded: {error!r}", address=self._listener.address, error=error)  # noqa: TRY400 - one line
        return self._context

    def _look(self) -> Stamp:
        names = [name for name in (self._listener.certificate, self._listener.key, self._listener.client_ca) if name]
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in map(os.stat, names))

    def _load(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_id(b"regproxy")
        context.use_certificate_chain_file(self._listener.certificate)
        context.use_privatekey_file(self._listener.key)
        context.check_privatekey()
        context.set_alpn_select_callback(_http11)
        if self._listener.client_ca:
            context.load_verify_locations(self._listener.client_ca)
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *seen: bool(seen[-1]))
        return context


def _http11(connection: SSL.Connection, offered: list[bytes]) -> bytes:  # noqa: ARG001 - pyOpenSSL's signature
    return b"http/1.1" if b"http/1.1" in offered else cast(bytes, SSL.NO_OVERLAPPING_PROTOCOLS)


@implementer(IStreamServerEndpoint)
@define(eq=False)
class TLSEndpoint:
    """Listens on TCP and speaks TLS."""

    _reactor: PosixReactorBase
    _listener: Listener

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":  # noqa: N803 - Twisted's name
        """Begin; certificates that are no good fail here, before a client meets them."""
        creator = ReloadingContext(self._listener)
        creator.context()
        host, _, port = self._listener.address.rpartition(":")
        host = host.strip("[]")
        endpoint = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
        factory = WideTLSFactory(creator, False, protocolFactory, self._reactor)  # noqa: FBT003 - Twisted's signature
        listening: Deferred[IListeningPort] = endpoint(self._reactor, int(port), interface=host).listen(factory)
        return listening
