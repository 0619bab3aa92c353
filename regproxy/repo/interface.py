"""What a repository is to a format, what a format is to a repository, and the answers that pass between them.

``Answer`` is a closed union: ``web/respond.py`` matches it once, exhaustively. A format asks ``Repository.resolve`` for what its
client wants, may replace a document's bytes by its own rendering (``Text``), and hands the answer on.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Protocol, TypeGuard, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.fetch import Fetch
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.node import Node
from regproxy.model.patterns import Patterns
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface_auto import AutoUrl
from regproxy.repo.interface_bundle import Bundled
from regproxy.repo.tree import Tree
from regproxy.stream.source import Readable, Source

T = TypeVar("T")


class Origin(Enum):
    """Where the bytes of an answer come from, as ``X-Regproxy-Cache`` and the access log say it."""

    __hash__ = object.__hash__  # as of ``Action``

    HIT = "hit"
    FILL = "fill"
    JOINED = "joined"
    STALE = "stale"
    PASS = "pass"  # noqa: S105 - not a password
    LOCAL = "local"


@frozen
class Body:
    """An artifact, stored or still arriving. Whoever is given it sends it, or calls ``readable.release()``, once.

    Attributes:
        age: seconds since upstream confirmed it, if it comes from the cache.
        resumable: False after an integrity failure at this path: a Range that does not begin at 0 is then answered in full.
        path: of the node, whose downloads are counted; empty for what is none.
    """

    head: Head
    readable: Readable
    origin: Origin
    age: int | None = None
    resumable: bool = True
    path: str = ""

    def showing(self, head: Head) -> "Body":
        """The same bytes under another head."""
        return Body(head, self.readable, self.origin, self.age, self.resumable, self.path)


@frozen
class Described:
    """The head alone: the answer to a HEAD for which no body is at hand."""

    head: Head
    origin: Origin
    age: int | None = None

    def showing(self, head: Head) -> "Described":
        """The same, under another head."""
        return Described(head, self.origin, self.age)


@frozen
class Text:
    """Bytes made here: a rendered document, a listing, an answer of an API."""

    body: bytes
    media_type: str
    etag: str | None = None
    last_modified: str | None = None
    headers: Headers = Headers()
    status: int = 200
    origin: Origin = Origin.LOCAL
    age: int | None = None


@frozen
class Elsewhere:
    """A redirect to another address of this server: a path below the origin, with the prefix that the client used."""

    location: str
    status: int = 307


@frozen
class Missing:
    """Known not to exist. ``kept``: headers of upstream's answer that the format asked to keep."""

    reason: str
    kept: Headers = Headers()


@frozen
class Refused:
    """Exists perhaps, but not for this client: 401, 403, 400, 405, 416 or whatever ``status`` says."""

    status: int
    reason: str
    kept: Headers = Headers()


@frozen
class Unavailable:
    """Cannot be had now: 429, 502, 503 or 504."""

    status: int
    reason: str
    retry_after: int | None = None
    kept: Headers = Headers()


Answer = Body | Described | Text | Elsewhere | Missing | Refused | Unavailable


class Repository(Protocol):
    """One repository."""

    @property
    def key(self) -> str:
        """Its name in addresses."""

    @property
    def settings(self) -> RepositorySettings:
        """Its configuration."""

    def has(self, path: str, digest: Digest | None = None) -> bool:
        """Whether a node is held at a path, fresh or not, and its blob is the one of ``digest`` if that is given (sha256).

        One look into the index; upstream is not asked.
        """

    async def resolve(self, want: Want) -> Answer:
        """Find what is wanted; returns when the head of the answer is known. A ``Body`` must be sent or released.

        What is held is no hit if ``want.digest`` is a sha256 and another one than the blob's: upstream has replaced it.
        Never raises for what an upstream did: that is an answer. ``RegproxyError`` for bad input only.
        """


@frozen
class Receipt:
    """An upload that has become a node; ``digests`` are those of its bytes."""

    node: Node
    digests: tuple[Digest, ...]
    is_new: bool


@frozen
class Arrived:
    """A body that is here in full and is what was promised, and which nobody can see yet.

    Attributes:
        descriptor: to read it by ``pread``, for as long as it is being approved.
        digests: by algorithm: md5, sha1, sha256, and those that were promised.
    """

    descriptor: int
    size: int
    digests: Mapping[str, Digest]


class Approve(Protocol):
    """Looks at a body before it becomes a node."""

    async def __call__(self, upload: Upload, arrived: Arrived) -> Upload:
        """What it becomes, at the same path; what is raised reaches the one who uploads, and nothing has changed."""


class WrongDigestError(RegproxyError):
    """The bytes that came are not those that were announced."""

    def __init__(self, expected: Digest, found: Digest) -> None:
        super().__init__(Kind.CONFLICT, f"the bytes are not those that were announced: expected {expected}, got {found}")


class Pieces(Protocol):
    """Uploads that come in several requests: sessions, each known by a name that nobody can guess.

    ``subject`` is what a session was begun for: under another, or in another repository, it is not there. ``RegproxyError``:
    NOT_FOUND for no such session, CONFLICT for one that another request is writing to, UNSATISFIABLE_RANGE for bytes that are
    not the next ones. What has come stays, whatever happens to the request that brought it.
    """

    async def begin(self, subject: str) -> str:
        """Begin one; its name."""

    async def received(self, name: str, subject: str) -> int:
        """How many bytes of it are there."""

    async def append(self, name: str, subject: str, source: Source, at: int | None = None) -> int:
        """Add a body, which begins at ``at`` if that is given; how many bytes are there now."""

    async def finish(self, name: str, upload: Upload, subject: str, source: Source, at: int | None = None) -> Receipt:
        """Add the last body, and make all of it a node; bytes that are not what was promised end it."""

    async def cancel(self, name: str, subject: str) -> None:
        """Forget it."""


class Hosting(Repository, Protocol):
    """A repository that clients may put something into. What raises ``RegproxyError`` has changed nothing.

    Paths of folders end in a slash.
    """

    @property
    def sessions(self) -> Pieces:
        """Uploads that come in pieces."""

    def refusal(self, path: str) -> Refused | None:
        """What everybody is told who asks for a path that is closed, be it there or not; None for one that is not."""

    async def receive(self, upload: Upload, source: Source, approve: Approve | None = None) -> Receipt:
        """Make a body a node, if ``approve`` does not object; it is durable when this returns."""

    async def link(self, upload: Upload, may_use: Callable[[Node], bool]) -> Receipt | None:
        """Make a node of bytes that are here already; None unless a node that ``may_use`` admits has all the promised digests."""

    async def take(self, node: Node, upload: Upload, *, moves: bool, is_dry: bool = False) -> None:
        """Put a node of any repository at an upload's path, out of its own if it moves; if dry, look whether that can be."""

    def bundle(self) -> Bundled:
        """Begin a bundle."""

    def check_room(self, size: int) -> None:
        """``RegproxyError`` (TOO_LARGE) if the repository may not hold so many bytes more."""

    async def make_folder(self, path: str, by: str) -> bool:
        """Make a folder; False if it was there."""

    async def delete(self, path: str, by: str = "") -> bool:
        """Remove a node, or a folder with all that is in it, perhaps into the trash can; False if there is none."""


def is_hosting(repository: Repository) -> TypeGuard[Hosting]:
    """Whether it is one. By its class of configuration: to look for the methods would take longer than half of a small hit."""
    return repository.settings.rclass == "local"


def is_virtual(repository: Repository) -> bool:
    """Whether it shows what others have."""
    return repository.settings.rclass == "virtual"


class Serving(Protocol):
    """What a format's routes are given to serve one repository with."""

    @property
    def repository(self) -> Repository:
        """The one they serve."""

    @property
    def tree(self) -> Tree:
        """What it holds, to be listed and described."""

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Who asks; ``RegproxyError`` unless he may do that with this path."""

    def permit_somewhere(self, request: IRequest, action: Action) -> str:
        """Who asks; ``RegproxyError`` unless there may be a path at which he may do that. The path is still to be asked about."""

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """Whether he may."""

    def sign(self, request: IRequest, path: str, *actions: Action) -> str:
        """What to add to the query of an address, so that whoever has it may do that there for a day; ``RegproxyError`` as above.

        For clients that send no credentials there. Behind the ``=`` it is a token, for those that send that.
        """

    def seen_by(self, request: IRequest) -> "Serving | None":
        """What there is of it for who asks: None if nothing, of a remote only what is held if he may not have it fetch."""

    async def permit_below(self, request: IRequest, action: Action, path: str) -> None:
        """``RegproxyError`` unless he may do that with every file below a folder, too."""

    def sees(self, request: IRequest, node: Node) -> bool:
        """Whether he may read a node, of whichever repository."""

    def beside(self, request: IRequest, key: str) -> "Serving":
        """Another repository, as there is one for who asks; ``RegproxyError`` if there is none."""

    async def send(self, request: IRequest, answer: Answer) -> None:
        """Write an answer: status, headers, conditionals, ranges, body; returns when it is sent or the client has gone."""

    def base_url(self, request: IRequest) -> str:
        """The external address of this server for this client, with the prefix that it used: no slash at the end."""

    async def parse(self, answer: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Make something of a stored document and release it; ``RegproxyError`` (TOO_LARGE) beyond ``limit`` bytes.

        A large one is read and parsed in one of a few threads: so many are in memory at a time, whoever waits.
        """

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """Call what takes the processor a while (a large document) in a thread; the Deferred fires in the reactor."""


class ServingSeveral(Serving, Protocol):
    """A virtual repository. Its members speak for it: what may be done with them here needs a right on both."""

    def members(self, request: IRequest, called: str = "") -> Sequence[Serving]:
        """What it shows as one, in order, virtual ones resolved; ``called``: the path here of what may have another one there."""

    def deployment(self, request: IRequest) -> tuple[Serving, Hosting]:
        """The member that takes uploads; ``RegproxyError`` if there is none."""

    def owners(self, name: str) -> Sequence[Serving]:
        """Members one of which may own a name: local ones, be they shown or not; none for a name that is to be shared."""

    def shows(self, member: Serving) -> bool:
        """Whether a member is one that it shows: an owner may be blacked out."""

    @property
    def unready(self) -> Sequence[str]:
        """The keys of members of which nothing can be asked, because their upstream is not known yet."""

    @property
    def clock(self) -> IReactorTime:
        """For what has a limit of time."""


class Find(Protocol):
    """Finds repositories by what an address says."""

    def __call__(self, key: str) -> Serving | None:
        """The repository with this key, ``…-cache`` companions included."""

    def for_upstream(self, host: str) -> Serving | None:
        """The repository that ``[docker.namespaces]`` maps a host to."""

    def default(self) -> Serving | None:
        """The repository behind bare ``/v2/…``."""

    def admits(self, request: IRequest) -> bool:
        """Whether logging in would show nothing new to who asks."""

    def greet(self, request: IRequest) -> None:
        """Answer a client that asks first of all whether to log in: ``RegproxyError`` if that may be of use to it."""

    def unknown(self, request: IRequest, key: str) -> RegproxyError:
        """What he hears of a repository that is not there, or not for him."""


class Format(Protocol):
    """One packaging format: a folder below ``formats/`` whose package exports ``FORMAT``."""

    @property
    def package_types(self) -> frozenset[str]:
        """The values of ``packageType`` that it serves."""

    @property
    def rclasses(self) -> frozenset[str]:
        """Which kinds of repositories it can be: remote, local, virtual; the last has a ``ServingSeveral``."""

    @property
    def api(self) -> str | None:
        """The word in ``/api/{word}/{repo}/…``; None if it is served at ``/{repo}/…`` only."""

    @property
    def auto(self) -> AutoUrl | None:
        """How to ask this machine's own client for its registry, for ``url = "auto"``."""

    def resource(self, serving: Serving) -> IResource:
        """Make the resource that serves one repository, below its address of this format."""

    def mounts(self, find: Find) -> Mapping[bytes, IResource]:
        """Further top-level addresses (``/v2``)."""

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """How to get a want from upstream: ``settings.url`` and the want say it all. Pure."""

    def admits(self, patterns: Patterns, path: str) -> bool:
        """Whether patterns let a node be; of a document that the format keeps: let anything be that it tells of. Pure."""

    def failure(self, answer: Missing | Refused | Unavailable) -> Text:
        """Write a refusal in the shape that this format's clients show; status, kept headers and Retry-After included."""
