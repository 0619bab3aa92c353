"""Asks another process of the server over its control socket: small answers, in little time, or none."""

from pathlib import Path
from typing import Any

import treq
from attrs import define, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IProtocol, IReactorUNIX, IStreamClientEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.web.client import URI, Agent
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
