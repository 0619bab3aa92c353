"""One repository, being served: what a format's routes are given (``repo.interface.Serving``)."""

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar, cast

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.node import Node
from regproxy.model.settings import RepositorySettings
from regproxy.repo.interface import Answer, Body, Described, Find, Format, Refused, Repository, Serving, Text
from regproxy.repo.shelf import Shelf
from regproxy.repo.tree import Tree
from regproxy.stream.follower import Sending
from regproxy.stream.pool import WriterPool
from regproxy.telemetry.metrics import Metrics
from regproxy.web.addresses import BaseUrl
from regproxy.web.guard import Guard
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import Responder

log = make_logger()

T = TypeVar("T")


@frozen(eq=False)
class Served:
    """A repository with its format, its responder and what they share.

    Attributes:
        owner: whose rights count: of a companion, the remote's.
    """

    repository: Repository
    format: Format
    tree: Tree
    guard: Guard
    owner: RepositorySettings
    _find: Find
    _sending: Sending
    _shelf: Shelf
    _apart: WriterPool
    _base_url: BaseUrl
    _metrics: Metrics
    _companion: "Served | None" = None
    _responder: Responder = field(init=False)

    @_responder.default
    def _make_responder(self) -> Responder:
        return Responder(self._sending, self.format.failure)

    @cached_property
    def resource(self) -> IResource:
        """What answers for it, made when it is first asked for. It knows what it answers for: both end together."""
        return self.format.resource(self)

    async def send(self, request: IRequest, answer: Answer) -> None:
        """Write an answer."""
        await self.send_from(request, answer, self.tree)

    async def send_from(self, request: IRequest, answer: Answer, tree: Tree) -> None:
        """Write an answer whose bytes, if it has any, are those of a node of this tree."""
        ours = cast(ProxyRequest, request)
        ours.repository = self.repository.key
        if not self._is_permitted(ours, answer):
            answer = Refused(403, "nobody has said that this may be seen")
        try:
            await self._responder.send(ours, answer)
        finally:
            self.sent(ours)
        if isinstance(answer, Body) and answer.path and _is_download(ours):
            who = ours.principal
            tree.downloaded(answer.path, ours.answered, who.name if who is not None and who.is_user else "")

    def sent(self, request: ProxyRequest) -> None:
        """Count what was sent of it: in the metrics, and for a quota."""
        self._metrics.answered(self.repository.key, request.origin, request.sentLength)
        self.guard.spent(request, self.owner, request.sentLength)

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Who asks, if he may."""
        cast(ProxyRequest, request).repository = self.repository.key  # for the log of what is refused, too
        who = self.guard.permit(cast(ProxyRequest, request), self.owner, action, path)
        self.check_open()
        self._count(cast(ProxyRequest, request))
        if action is Action.READ and not self.may_be_asked_for(request, path):
            raise self.not_to_be_fetched(path, who)
        return who

    def not_to_be_fetched(self, path: str, who: str) -> RegproxyError:
        """Why he does not get what is not held."""
        text = f"{self.repository.key} does not hold this, and {who} may not have it fetched"
        return self.guard.denied(self.owner, Action.WRITE, path, text)

    def permit_somewhere(self, request: IRequest, action: Action) -> str:
        """Who asks, if there may be a path at which he may do that."""
        cast(ProxyRequest, request).repository = self.repository.key
        who = self.guard.permit_somewhere(cast(ProxyRequest, request), self.owner, action)
        self.check_open()
        return who

    def check_open(self) -> None:
        """``RegproxyError`` (DENIED) if it is blacked out: what is in it is nobody's then, at whatever address."""
        if self.owner.blacked_out:
            raise RegproxyError(Kind.DENIED, f"repository {self.owner.key} is blacked out")

    def _count(self, request: ProxyRequest) -> None:
        try:
            self.guard.admit(request, self.owner)
        except RegproxyError:
            self._metrics.shed("quota")
            raise

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """Whether he may."""
        return not self.owner.blacked_out and self.guard.permits(cast(ProxyRequest, request), self.owner, action, path)

    def sign(self, request: IRequest, path: str, *actions: Action) -> str:
        """A part of a query by which an address needs no credentials."""
        return self.guard.sign(cast(ProxyRequest, request), self.owner, path, actions)

    def seen_by(self, request: IRequest) -> "Served | None":
        """This, or what is held of it for one who may not have anything fetched; None for one to whom it does not exist."""
        ours = cast(ProxyRequest, request)
        if not self.guard.knows(ours, self.owner):
            return None
        return self if self._companion is None or self.guard.fetches(ours, self.owner) else self._companion

    def sees(self, request: IRequest, node: Node) -> bool:
        """Whether he may read a node."""
        served = self._find(node.repository)
        return served is not None and served.permits(request, Action.READ, node.path)

    def beside(self, request: IRequest, key: str) -> Serving:
        """Another repository, as there is one for who asks."""
        found = self._find(key)
        seen = None if found is None else found.seen_by(request)
        if seen is None:
            raise self._find.unknown(request, key)
        return seen

    async def permit_below(self, request: IRequest, action: Action, path: str) -> None:
        """``RegproxyError`` unless he may do that with every file below a folder, too."""
        async for page in self.tree.below(path):
            for node in page:
                self.permit(request, action, node.path)

    def may_be_asked_for(self, request: IRequest, path: str) -> bool:
        """What is not held has to be fetched, which he may at some paths only."""
        if self._companion is None or self.guard.permits(cast(ProxyRequest, request), self.owner, Action.WRITE, path):
            return True
        return self.repository.has(path)

    def _is_permitted(self, request: ProxyRequest, answer: Answer) -> bool:
        """Whether somebody has asked: a route that forgets to shows nothing."""
        if request.permitted == self.owner.key or not isinstance(answer, Body | Described | Text):
            return True
        log.error("{id}: {key} was about to send what nobody has permitted", id=request.request_id, key=self.repository.key)
        if isinstance(answer, Body):
            answer.readable.release()
        return False

    def base_url(self, request: IRequest) -> str:
        """The external address of this server for this client."""
        return self._base_url(cast(ProxyRequest, request))

    async def parse(self, answer: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Make something of a stored document and release it."""
        return await self._shelf.parse(answer, limit, parse)

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """Call something in a thread."""
        return self._apart.run(work)


def _is_download(request: ProxyRequest) -> bool:
    """Whether all of a file was sent, or its beginning: a client that fetches it in ranges has it once."""
    if request.method != b"GET" or request.is_gone:
        return False
    if request.code == 206:  # noqa: PLR2004 - Partial Content
        ranges = request.responseHeaders.getRawHeaders(b"content-range", [b""])
        return bool(ranges[0].startswith(b"bytes 0-"))
    return bool(request.code == 200)  # noqa: PLR2004 - OK
