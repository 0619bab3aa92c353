"""Members of a virtual hub that answer as they are told, and those who ask them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.iweb import IRequest

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Id, Type
from regproxy.formats.huggingface.names import folder_of
from regproxy.model.access import Action
from regproxy.model.deposit import Child
from regproxy.model.head import Head
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Body, Missing, Origin, ServingSeveral
from regproxy.stream.source import Readable
from regproxy.web.request import ProxyRequest
from tests.fakes.formats import Permissive

T = TypeVar("T")

REPO = Id(Type.MODELS, "acme", "tiny")
INFO, CHECK = "_refs/main", "_auth-check"


@define(eq=False)
class Bytes:
    """A document; ``released`` counts."""

    data: bytes
    released: int = 0

    def release(self) -> None:
        """Count."""
        self.released += 1


def document(data: bytes = b"{}") -> Body:
    """The answer that has one."""
    return Body(Head(), cast(Readable, Bytes(data)), Origin.HIT)


@define(eq=False)
class Member(Permissive):
    """One, and its own repository and tree.

    Attributes:
        answers: of its hub, by the part of the path behind the repository.
        holds: whether anything of the repository is held, or, of a local one, whether it has ``has``.
        hidden: what is raised to who may not read there.
        asked: what its hub was asked.
    """

    settings: RepositorySettings
    answers: Mapping[str, Answer] = field(factory=dict)
    holds: bool = False
    hidden: Kind | None = None
    asked: list[str] = field(factory=list)
    has: Id = REPO

    @property
    def key(self) -> str:
        """Its name."""
        return self.settings.key

    @property
    def repository(self) -> Any:
        """Itself."""
        return self

    @property
    def tree(self) -> Any:
        """Itself."""
        return self

    def node(self, path: str) -> object | None:
        """Of a local one, the branches."""
        return self if self.holds and path == f"{folder_of(self.has)}/_refs.json" else None

    async def children(self, path: str) -> Sequence[Child]:
        """Of a local one, the folders on the way to it."""
        way = folder_of(self.has).split("/")
        depth = path.count("/")
        return [Child(way[depth], None)] if self.holds and path == "".join(f"{part}/" for part in way[:depth]) else []

    async def folder(self, path: str) -> object | None:
        """What is cached of the repository."""
        assert path == f"{folder_of(REPO)}/"
        return self if self.holds else None

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Whether he may."""
        if self.hidden is not None:
            raise RegproxyError(self.hidden, "not for you")
        return "anybody"

    def permit_somewhere(self, request: IRequest, action: Action) -> str:
        """The same."""
        return self.permit(request, action, "")

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """The same."""
        return self.hidden is None

    async def resolve(self, want: Want) -> Answer:
        """Answer."""
        part = want.path.removeprefix(f"{folder_of(REPO)}/")
        self.asked.append(part)
        return self.answers.get(part, Missing("the hub does not have it"))

    async def parse(self, answer: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Parse and release."""
        answer.readable.release()
        return parse(cast(Bytes, answer.readable).data)

    async def send(self, request: IRequest, answer: Answer) -> None:
        """Not here."""
        raise NotImplementedError

    def base_url(self, request: IRequest) -> str:
        """Not here."""
        raise NotImplementedError

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """At once."""
        done: Deferred[T] = maybeDeferred(work)
        return done


def remote(key: str, answers: Mapping[str, Answer] | None = None, *, holds: bool = False, **settings: Any) -> Member:
    """A remote one."""
    return Member(RepositorySettings(key=key, rclass="remote", **settings), answers or {}, holds=holds)


def local(key: str = "local", *, holds: bool = False, hidden: Kind | None = None, has: Id = REPO, **settings: Any) -> Member:
    """A local one."""
    return Member(RepositorySettings(key=key, rclass="local", **settings), holds=holds, hidden=hidden, has=has)


@frozen(eq=False)
class Several(Member):
    """The virtual one; ``shared`` is whether names are nobody's."""

    parts: Sequence[Member] = ()
    shared: bool = False

    def members(self, request: IRequest) -> Sequence[Member]:
        """Those that take part."""
        return [each for each in self.parts if not each.settings.blacked_out]

    def owners(self, name: str) -> Sequence[Member]:
        """The local ones."""
        return [] if self.shared else [each for each in self.parts if each.settings.rclass == "local"]


def several(*parts: Member, shared: bool = False) -> ServingSeveral:
    """All of them as one."""
    return cast(ServingSeveral, Several(RepositorySettings(key="all", rclass="virtual"), parts=parts, shared=shared))


@frozen
class Asking:
    """A request, at some second."""

    began: float = 1000.0


def asking(second: float = 1000.0) -> ProxyRequest:
    """One."""
    return cast(ProxyRequest, Asking(second))
