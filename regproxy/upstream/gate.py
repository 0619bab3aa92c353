"""Looks at the head of every answer before Twisted's parser does, because that one accepts too much.

Refused: more than 64 KiB, 16 KiB in a line or 200 fields, more than 10 interim answers, a status line that is none, folded
fields, control characters, a length of more than 18 digits, both Content-Length and Transfer-Encoding, any transfer coding but
``chunked``. A refusal drops the connection and reaches whoever asked as ``RegproxyError`` (UPSTREAM_BAD). Bodies pass unseen.
Little is read with a head, soon more: the first bytes of a large body need not wait until a MiB of it is read and hashed.
"""

import re
from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError

HEAD_READ = 64 << 10
MAX_HEAD = 64 << 10
MAX_LINE = 16 << 10  # Twisted would close the connection, which looks as if the host were down
MAX_FIELDS = 200
MAX_INTERIM = 10
_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_LENGTH = re.compile(rb"[^:]+:[ \t]*[0-9]{1,18}[ \t]*")  # 64 bits hold it
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[^\x00-\x08\x0a-\x1f\x7f]*")


def status_of(block: bytes) -> int:
    """Check one head, without its final empty line, and return its status.

    Raises:
        ValueError: with the reason why it is refused.
    """
    if _too_long(block):
        raise ValueError("sent too large a header")
    first, *lines = block.replace(b"\r\n", b"\n").split(b"\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise ValueError("sent a status line that is not HTTP")
    if len(lines) > MAX_FIELDS:
        raise ValueError("sent too many header fields")
    matches = [_FIELD.fullmatch(line) for line in lines]
    names = [match[1].lower() for match in matches if match]
    if len(names) < len(lines):
        raise ValueError("sent a header field that is none")
    lengths = [line for line, name in zip(lines, names, strict=True) if name == b"content-length"]
    if not all(_LENGTH.fullmatch(line) for line in lengths):
        raise ValueError("sent a length that is none")
    codings = [
        line.partition(b":")[2].strip().lower() for line, name in zip(lines, names, strict=True) if name == b"transfer-encoding"
    ]
    if codings and (codings != [b"chunked"] or b"content-length" in names):
        raise ValueError("sent an answer with an ambiguous length")
    if int(status[1]) == 101:  # noqa: PLR2004 - switching protocols, which nobody asked for
        raise ValueError("switched to another protocol")
    return int(status[1])


def _too_long(head: bytes) -> bool:
    return len(head) >= MAX_LINE and any(len(line) >= MAX_LINE for line in head.split(b"\n"))


class Gate(ProtocolWrapper):
    """Between the connection and Twisted's HTTP client; a request that goes out says that a head will come in."""

    _head: bytes | None = None
    _held = b""
    _socket: Any = None
    _full = 0
    _interim = 0
    _refused = False

    def write(self, data: bytes) -> None:
        """A request, or a part of one."""
        self._expect()
        super().write(data)

    def writeSequence(self, data: list[bytes]) -> None:  # noqa: N802 - Twisted's name
        """A request, or a part of one."""
        self._expect()
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Look, until the head is complete; then pass on."""
        if self._refused:
            return
        if self._head is not None:
            try:
                self._look(data)
            except ValueError as error:
                self._refuse(str(error))
                return
            self._held += data
            if self._head is not None:
                return  # the parser would give up a line sooner than we do, and say nothing of it
            data, self._held = self._held, b""
        elif self._full and self._socket.bufferSize < self._full:
            self._socket.bufferSize = min(2 * self._socket.bufferSize, self._full)
        self.wrappedProtocol.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Not told twice."""
        if not self._refused:
            if self._held:
                self.wrappedProtocol.dataReceived(self._held)  # some of an answer is more than none: it is not asked for again
            super().connectionLost(reason)

    def _expect(self) -> None:
        if self._head is None:
            self._head, self._interim = b"", 0
            self._read_little()

    def _read_little(self) -> None:
        transport: Any = self.transport
        self._socket = getattr(transport, "transport", transport)  # that below TLS
        self._full = max(self._full, getattr(self._socket, "bufferSize", 0))
        self._socket.bufferSize = HEAD_READ

    def _look(self, data: bytes) -> None:
        head = (self._head or b"") + data
        while end := _END.search(head):
            if end.start() > MAX_HEAD:
                break
            if status_of(head[: end.start()]) >= 200:  # noqa: PLR2004 - no interim answer
                self._head = None
                return
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ValueError("sent too many interim answers")
            head = head[end.end() :]
        if len(head) > MAX_HEAD or _too_long(head):
            raise ValueError("sent too large a header")
        self._head = head

    def _refuse(self, phrase: str) -> None:
        self._refused = True
        name = getattr(self.factory, "name", "upstream")
        transport: Any = self.transport
        transport.abortConnection()
        self.wrappedProtocol.connectionLost(Failure(RegproxyError(Kind.UPSTREAM_BAD, f"{name} {phrase}")))


class Gates(WrappingFactory):
    """Makes a gate for each connection to one upstream; ``name`` is its host and port."""

    protocol = Gate
    noisy = False
    name = "upstream"


def behind(connection: Protocol | IProtocol) -> IProtocol:
    """The HTTP client that a gate stands before."""
    wrapped: IProtocol = connection.wrappedProtocol if isinstance(connection, Gate) else connection
    return wrapped
