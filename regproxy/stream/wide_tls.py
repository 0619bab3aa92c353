"""TLS connections that move large pieces: all records of a read are handed on as one, all of a write leave as one.

Twisted passes every record of 16 KiB through the whole stack by itself, which for a body costs more than to encrypt it. This
overrides three of its private methods, and nothing of what they promise; ``tests/wire/test_wide_tls.py`` pins them and runs
both sides against Twisted's own.
"""

from collections.abc import Callable
from typing import Any

from OpenSSL.SSL import Error, Session, WantReadError, ZeroReturnError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from regproxy.stream.prompt import send_at_once

RECORD = 1 << 14
RECORDS = 16
"""So many are handed on as one: more would fall out of the processor's cache on the way."""
SENT = 512 << 10


class WideTLS(BufferingTLSTransport):
    """One connection.

    Attributes:
        established: told the session once, when the other side has sent what it was asked for: all was verified then.
    """

    established: "Callable[[Session | None], None] | None" = None

    def _flushReceiveBIO(self) -> None:  # noqa: N802 - Twisted's name
        while not self._lostTLSConnection:
            records, ended = self._records()
            if records and not self._aborted:
                self._tell()
                ProtocolWrapper.dataReceived(self, records[0] if len(records) == 1 else b"".join(records))
            if isinstance(ended, WantReadError):
                break
            if isinstance(ended, ZeroReturnError):
                self._shutdownTLS()
                self._tlsShutdownFinished(None)
            elif ended is not None:
                self._tlsShutdownFinished(Failure(ended))
        self._flushSendBIO()

    def _tell(self) -> None:
        established, self.established = self.established, None
        if established is not None:
            established(self._tlsConnection.get_session())

    def _records(self) -> tuple[list[bytes], Error | None]:
        """Up to a piece of what has arrived, and what keeps us from reading on, if anything does."""
        records: list[bytes] = []
        read = self._tlsConnection.recv
        try:
            for _ in range(RECORDS):
                records.append(read(RECORD))  # noqa: PERF401 - what was read before an error counts
        except Error as error:
            return records, error
        return records, None

    def _flushSendBIO(self) -> None:  # noqa: N802 - Twisted's name
        while True:
            try:
                data = self._tlsConnection.bio_read(SENT)
            except WantReadError:
                return
            send_at_once(self.transport, data)

    def _write(self, data: bytes) -> None:
        if self._lostTLSConnection or not data:
            return
        view = memoryview(data)
        try:
            sent = self._tlsConnection.send(view)
        except WantReadError:  # before the end of a handshake nothing is sent
            self._bufferedWrite(data)
            return
        except Error as error:
            self._tlsShutdownFinished(Failure(error))
            return
        try:
            # Should it have to stop for a handshake here, nobody knows what was sent: then the connection fails.
            self._tlsConnection.sendall(view[sent:])
        except Error as error:
            self._tlsShutdownFinished(Failure(error))
        else:
            self._flushSendBIO()


class WideTLSFactory(TLSMemoryBIOFactory):
    """Twisted's factory, making these connections."""

    noisy = False
    protocol = WideTLS


@implementer(IStreamClientEndpoint)
class WideTLSEndpoint:
    """Connects as the endpoint that it is given, and speaks TLS."""

    def __init__(self, creator: IOpenSSLClientConnectionCreator, endpoint: IStreamClientEndpoint) -> None:
        self._creator, self._endpoint = creator, endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803 - Twisted's name
        """Connect; fires with the protocol behind TLS, before the handshake."""
        factory = WideTLSFactory(self._creator, True, protocolFactory)  # noqa: FBT003 - Twisted's signature
        return self._endpoint.connect(factory).addCallback(_behind)


def _behind(connection: Any) -> IProtocol:
    protocol: IProtocol = connection.wrappedProtocol
    return protocol
