"""One repository, being served: what a format's routes are given (``repo.interface.Serving``)."""

from collections.abc import Callable
from typing import TypeVar, cast

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from regproxy.model.access import Action
from regproxy.model.node import Node
from regproxy.repo.interface import Answer, Body, Format, Repository
from regproxy.repo.shelf import Shelf
from regproxy.repo.tree import Tree
from regproxy.stream.follower import Sending
from regproxy.stream.pool import WriterPool
from regproxy.telemetry.metrics import Metrics
from regproxy.web.addresses import BaseUrl
from regproxy.web.guard import Guard
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import Responder

T = TypeVar("T")


@frozen(eq=False)
class Served:
    """A repository with its format, its responder and what they share."""

    repository: Repository
    format: Format
    tree: Tree
    guard: Guard
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

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Who asks, if he may."""
        cast(ProxyRequest, request).repository = self.repository.key  # for the log of what is refused, too
        return self.guard.permit(cast(ProxyRequest, request), self.repository.key, action, path)

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """Whether he may."""
        return self.guard.permits(cast(ProxyRequest, request), self.repository.key, action, path)

    def sees(self, request: IRequest, node: Node) -> bool:
        """Whether he may read a node."""
        return self.guard.permits(cast(ProxyRequest, request), node.repository, Action.READ, node.path)

    def base_url(self, request: IRequest) -> str:
        """The external address of this server for this client."""
        return self._base_url(cast(ProxyRequest, request))

    async def read(self, answer: Body, limit: int) -> bytes:
        """Read a stored document as a whole and release it."""
        return await self._shelf.read(answer, limit)

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """Call something in a thread."""
        return self._apart.run(work)
