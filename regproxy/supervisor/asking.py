"""Asks another process of the server over its control socket: small answers, in little time, or none; and passes on what takes a
while, as it comes.
"""

from pathlib import Path
from typing import Any

import treq
from attrs import define, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IProtocol, IReactorUNIX, IStreamClientEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent
from twisted.web.http import Request
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from txaio.tx import make_logger
from zope.interface import implementer

log = make_logger()

SECONDS = 5.0


@frozen
class Answer:
    """What came back."""

    status: int
    media_type: str
    body: bytes


@implementer(IStreamClientEndpoint)
@define(eq=False)
class _Quiet:
    """Without lines in the log for each connection."""

    _endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> "Deferred[IProtocol]":  # noqa: N803 - Twisted's name
        protocolFactory.noisy = False
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connecting


@implementer(IAgentEndpointFactory)
@define(eq=False)
class _Socket:
    _reactor: IReactorUNIX
    _path: Path

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: ARG002, N802 - Twisted's
        endpoint: IStreamClientEndpoint = _Quiet(UNIXClientEndpoint(self._reactor, str(self._path)))
        return endpoint


async def ask(
    reactor: PosixReactorBase, path: Path, target: str, *, method: str = "GET", body: bytes = b"", seconds: float = SECONDS
) -> Answer | None:
    """Ask; None if there is nobody, or no whole answer in time. For what fits into memory: the project's own JSON."""

    async def asked() -> Answer:
        client = HTTPClient(Agent.usingEndpointFactory(reactor, _Socket(reactor, path)))
        response = await client.request(method, f"http://localhost{target}", data=body or None, unbuffered=True)
        media_types = response.headers.getRawHeaders("content-type") or ["application/octet-stream"]
        return Answer(response.code, media_types[0], await treq.content(response))

    work = Deferred.fromCoroutine(asked()).addTimeout(seconds, reactor)
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - whoever asks can do without
        log.debug("{path} does not answer: {error!r}", path=path, error=error)
        return None


class _Passing(Protocol):
    """Hands a body on as it comes."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Some of it."""
        self.request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's
        """That was all, or all that comes."""
        self.ended.callback(None)


def _content(request: Request) -> bytes:
    if request.content is None:
        return b""
    request.content.seek(0)  # another process may have been asked before
    return bytes(request.content.read())


async def forward(reactor: PosixReactorBase, path: Path, request: Request) -> bool:
    """Let another process answer a request; False if it does not. A client that leaves ends what was done for it."""
    client = HTTPClient(Agent.usingEndpointFactory(reactor, _Socket(reactor, path)))
    body, media_type = _content(request), request.getHeader("content-type")
    try:
        response = await client.request(
            request.method.decode("ascii"),
            f"http://localhost{request.uri.decode('latin-1')}",
            headers=Headers({"content-type": [media_type]} if media_type else {}),
            data=body or None,
            unbuffered=True,
        )
    except Exception as error:  # noqa: BLE001 - another one may answer
        log.debug("{path} does not answer: {error!r}", path=path, error=error)
        return False
    request.setResponseCode(response.code)
    for value in response.headers.getRawHeaders("content-type", []):
        request.setHeader("content-type", value)
    passing = _Passing(request)
    response.original.deliverBody(passing)

    def left(_: object) -> None:
        if passing.transport is not None:
            passing.transport.loseConnection()

    request.notifyFinish().addErrback(left)
    await passing.ended
    return True
