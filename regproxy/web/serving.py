"""One repository, being served: what a format's routes are given (``repo.interface.Serving``)."""

from collections.abc import Callable
from typing import TypeVar, cast

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from regproxy.repo.interface import Answer, Body, Format, Repository
from regproxy.repo.shelf import Shelf
from regproxy.stream.follower import Sending
from regproxy.stream.pool import WriterPool
from regproxy.telemetry.metrics import Metrics
from regproxy.web.addresses import BaseUrl
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import Responder

T = TypeVar("T")


@frozen(eq=False)
class Served:
    """A repository with its format, its responder and what they share."""

    repository: Repository
    format: Format
    _sending: Sending
    _shelf: Shelf
    _apart: WriterPool
    _base_url: BaseUrl
    _metrics: Metrics
    _responder: Responder = field(init=False)

    @_responder.default
    def _make_responder(self) -> Responder:
        return Responder(self._sending, self.format.failure)

    async def send(self, request: IRequest, answer: Answer) -> None:
        """Write an answer."""
        ours = cast(ProxyRequest, request)
        ours.repository = self.repository.key
        try:
            await self._responder.send(ours, answer)
        finally:
            self._metrics.answered(self.repository.key, ours.origin, ours.sentLength)

    def base_url(self, request: IRequest) -> str:
        """The external address of this server for this client."""
        return self._base_url(cast(ProxyRequest, request))

    async def read(self, answer: Body, limit: int) -> bytes:
        """Read a stored document as a whole and release it."""
        return await self._shelf.read(answer, limit)

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """Call something in a thread."""
        return self._apart.run(work)
