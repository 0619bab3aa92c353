"""A virtual repository, being served, and its members as they are served there.

Whoever reads needs the right in the virtual repository and in the member: a member in which he may not read is one that is not
there, but that somebody without a name is asked to log in, whether or not it has anything. Uploads and deletes go to one
local member, under the rights that are given there. The log and the metrics of answers name the virtual repository; what is
fetched, stored and counted as downloaded is the member's.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.node import Node
from regproxy.model.patterns import Patterns
from regproxy.repo.interface import Answer, Body, Hosting, Repository, Serving, is_hosting
from regproxy.repo.tree import Tree
from regproxy.web.request import ProxyRequest
from regproxy.web.serving import Served

T = TypeVar("T")


@frozen(eq=False)
class VirtualServed(Served):
    """A virtual repository.

    Attributes:
        served: its members, none of them virtual.
        dark: the keys of those that have no part in it, though names may be theirs: they are blacked out, or reached
            through virtual ones that are.
        unready: the keys of those whose upstream is not known yet.
    """

    served: tuple[Served, ...] = field(kw_only=True)
    dark: frozenset[str] = field(default=frozenset(), kw_only=True)
    unready: tuple[str, ...] = field(default=(), kw_only=True)
    _patterns: Patterns = field(init=False)
    _shared: Patterns | None = field(init=False)

    @_patterns.default
    def _read_patterns(self) -> Patterns:
        return Patterns.of(self.owner.includes_pattern, self.owner.excludes_pattern)

    @_shared.default
    def _read_shared(self) -> Patterns | None:
        shared = self.owner.shared_names_pattern
        return Patterns.of(shared) if shared.strip() else None

    @property
    def clock(self) -> IReactorTime:
        """The server's."""
        return self._sending.clock

    def members(self, request: IRequest, called: str = "") -> "Sequence[Member]":
        """What it shows as one: of a remote only what is held, if he may not have it fetch."""
        return [Member(each.seen_by(request) or each, self, called) for each in self.served if each.owner.key not in self.dark]

    def shows(self, member: Serving) -> bool:
        """Whether a member has a part in it."""
        return member.repository.key not in self.dark

    def deployment(self, request: IRequest) -> "tuple[Member, Hosting]":
        """The member that takes uploads."""
        key = self.owner.default_deployment_repo
        member = next((each for each in self.members(request) if each.repository.key == key), None)
        if member is None or not is_hosting(member.repository):
            text = f"{self.repository.key} takes nothing: its configuration has no defaultDeploymentRepo"
            raise RegproxyError(Kind.METHOD_NOT_ALLOWED, text)
        return member, member.repository

    def owners(self, name: str) -> "Sequence[Member]":
        """Its local members, whoever may read them, those that have no part in it too; none for a name that is shared."""
        if self._shared is not None and self._shared.admits(name):
            return ()
        return [Member(each, self) for each in self.served if is_hosting(each.repository)]

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Who asks, if he may, and if there is such a path here."""
        who = super().permit(request, action, path)
        self.check_patterns(path)
        return who

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """Whether he may."""
        return super().permits(request, action, path) and self.admits(path)

    def admits(self, path: str) -> bool:
        """Whether its patterns let a path be."""
        return path == "" or path.endswith("/") or self.format.admits(self._patterns, path)

    def check_patterns(self, path: str, *, changes: bool = False) -> None:
        """``RegproxyError`` (DENIED) for a path that its patterns exclude; a folder may be looked into, but not made."""
        if not self.admits(path) or (changes and path.endswith("/") and not self._patterns.admits(path)):
            raise RegproxyError(Kind.DENIED, f"repository {self.repository.key} excludes this path by its patterns")


@frozen(eq=False)
class Member:
    """One member (``repo.interface.Serving``)."""

    served: Served
    _through: VirtualServed
    _called: str = ""

    @property
    def repository(self) -> Repository:
        """The member."""
        return self.served.repository

    @property
    def tree(self) -> Tree:
        """What the member holds."""
        return self.served.tree

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Who asks, if he may here and there."""
        if action is not Action.READ:
            return self._changes(request, lambda: self.served.permit(request, action, path), path)
        who = self._through.permit(request, action, self._called or path)
        if not self.served.guard.permits(cast(ProxyRequest, request), self.served.owner, action, path):
            raise self._hidden(request)
        if not self.served.may_be_asked_for(request, path):
            raise self.served.not_to_be_fetched(path, who)
        return who

    def _hidden(self, request: IRequest) -> RegproxyError:
        """What is said of a member that is not for him, whatever it has."""
        ours = cast(ProxyRequest, request)
        if not self.served.guard.is_named(ours):
            return self.served.guard.login(ours)
        return RegproxyError(Kind.NOT_FOUND, f"{self._through.repository.key} does not have it")

    def _changes(self, request: IRequest, permit: Callable[[], str], path: str = "") -> str:
        """Rights to change something are the member's alone; the request stays one to the virtual repository."""
        self._through.check_open()
        self._through.check_patterns(path, changes=True)
        ours = cast(ProxyRequest, request)
        try:
            who = permit()
        except RegproxyError as error:
            if error.kind is Kind.NOT_FOUND:  # the member is hidden from him, its name too
                raise RegproxyError(Kind.NOT_FOUND, f"{self._through.repository.key} takes nothing from you") from None
            raise
        ours.repository, ours.permitted = self._through.repository.key, self._through.owner.key
        return who

    def permit_somewhere(self, request: IRequest, action: Action) -> str:
        """Who asks, if there may be a path at which he may do that."""
        if action is not Action.READ:
            return self._changes(request, lambda: self.served.permit_somewhere(request, action))
        if not self.served.guard.knows(cast(ProxyRequest, request), self.served.owner):
            raise self._hidden(request)
        return self._through.permit_somewhere(request, action)

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """Whether he may."""
        here = self._through.permits(request, action, path) if action is Action.READ else self._through.admits(path)
        return here and self.served.permits(request, action, path)

    async def permit_below(self, request: IRequest, action: Action, path: str) -> None:
        """``RegproxyError`` unless he may do that with every file below a folder, too."""
        async for page in self.tree.below(path):
            for node in page:
                self.permit(request, action, node.path)

    def sign(self, request: IRequest, path: str, *actions: Action) -> str:
        """Good for the member's path, at its own address and here: where its rights count, but who asks has to see both."""
        ours, owner = cast(ProxyRequest, request), self.served.owner
        return self._changes(request, lambda: self.served.guard.sign(ours, owner, path, actions, self._through.owner), path)

    def seen_by(self, request: IRequest) -> "Member | None":
        """As there is one for who asks."""
        seen = self.served.seen_by(request)
        return None if seen is None else Member(seen, self._through, self._called)

    def sees(self, request: IRequest, node: Node) -> bool:
        """Whether he may read a node, of whichever repository."""
        return self.served.sees(request, node)

    def beside(self, request: IRequest, key: str) -> Serving:
        """Another repository, as there is one for who asks."""
        return self.served.beside(request, key)

    async def send(self, request: IRequest, answer: Answer) -> None:
        """Write an answer, as the virtual repository."""
        await self._through.send_from(request, answer, self.tree)

    def base_url(self, request: IRequest) -> str:
        """The external address of this server for this client."""
        return self._through.base_url(request)

    async def parse(self, answer: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Make something of a stored document and release it."""
        return await self.served.parse(answer, limit, parse)

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """Call something in a thread."""
        return self.served.apart(work)
