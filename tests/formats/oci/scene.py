"""A server that speaks the registry API over a repository of canned answers, on a real socket."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar, cast

import treq
from attrs import define, field, frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource

from regproxy.errors import RegproxyError
from regproxy.formats.oci import FORMAT
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.ranges import Span
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Body, Described, Format, Missing, Origin, Serving
from regproxy.stream.source import Readable
from regproxy.web.guard import no_repository
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import Responder
from regproxy.web.root import Root
from regproxy.web.site import ProxySite
from tests.fakes.formats import Permissive

T = TypeVar("T")


@define(eq=False)
class Bytes:
    """A complete ``Readable``."""

    data: bytes
    file: IO[bytes] = field(factory=TemporaryFile)
    released: int = 0
    complete: bool = True
    failed: BaseException | None = None

    def __attrs_post_init__(self) -> None:
        self.file.write(self.data)
        self.file.flush()

    @property
    def size(self) -> int:
        """Of the data."""
        return len(self.data)

    def fileno(self, offset: int = 0) -> int:
        """A real one."""
        return self.file.fileno()

    def passed(self, offset: int) -> bool:
        """Never."""
        return False

    def detour(self, offset: int) -> "Deferred[Readable]":
        """Never asked for."""
        raise NotImplementedError

    def returned(self) -> None:
        """Never away."""

    def reach(self, offset: int, *, early: bool = False) -> int:
        """Everything."""
        return self.size

    def watch(self, changed: Callable[[], None], wanted: Span | None = None, *, early: bool = False) -> None:
        """Nothing changes."""

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Nothing changes."""

    def doubt(self) -> None:
        """Nothing to doubt."""

    def release(self) -> None:
        """Count it."""
        self.released += 1
        self.file.close()


@define(eq=False)
class Repository:
    """Answers from a table: node path → head and bytes, or another answer. Notes what was wanted."""

    settings: RepositorySettings
    table: Mapping[str, tuple[Head, bytes] | Answer]
    wanted: list[Want] = field(factory=list)
    origin: Origin = Origin.HIT
    bodies: list[Bytes] = field(factory=list)

    @property
    def key(self) -> str:
        """Its name."""
        return self.settings.key

    def has(self, path: str, digest: Digest | None = None) -> bool:
        """Whether it is in the table."""
        return path in self.table

    async def resolve(self, want: Want) -> Answer:
        """Look it up."""
        self.wanted.append(want)
        found = self.table.get(want.path, Missing("upstream does not have it"))
        if not isinstance(found, tuple):
            return found
        head, data = found
        head = head.landed(len(data), Digest.of(data).hex)
        if not want.body:
            return Described(head, self.origin)
        self.bodies.append(Bytes(data))
        return Body(head, self.bodies[-1], self.origin, age=3)


@frozen(eq=False)
class CannedServing(Permissive):
    """``repo.interface.Serving``."""

    repository: Repository
    format: Format = FORMAT

    @cached_property
    def resource(self) -> IResource:
        """As the real one."""
        return self.format.resource(cast(Serving, self))

    async def send(self, request: IRequest, answer: Answer) -> None:
        """As the real one, for answers that are at hand."""
        await Responder(cast(Any, None), FORMAT.failure).send(cast(ProxyRequest, request), answer)

    def base_url(self, request: IRequest) -> str:
        """A proxy in front has put everything below a path."""
        return f"https://front.example/outer{cast(ProxyRequest, request).prefix}"

    async def parse(self, answer: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Parse it."""
        try:
            return parse(os.pread(answer.readable.fileno(), limit, 0))
        finally:
            answer.readable.release()

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """At once."""
        done: Deferred[T] = maybeDeferred(work)
        return done


@frozen
class CannedFind:
    """``repo.interface.Find``."""

    servings: Mapping[str, CannedServing]
    namespaces: Mapping[str, str] = {}
    default_key: str = ""

    def __call__(self, key: str) -> Serving | None:
        """By key."""
        return self.servings.get(key)

    def __iter__(self) -> Iterator[CannedServing]:
        return iter(self.servings.values())

    def find(self, key: str, request: IRequest) -> Serving | None:
        """The same for everybody."""
        return self(key)

    def admits(self, request: IRequest) -> bool:
        """Everybody sees everything."""
        return True

    def greet(self, request: IRequest) -> None:
        """There is nobody to log in as."""

    def unknown(self, request: IRequest, key: str) -> RegproxyError:
        """Nobody hears of that."""
        return no_repository(key)

    def for_upstream(self, host: str) -> Serving | None:
        """By the host that it mirrors."""
        return self(self.namespaces.get(host, ""))

    def default(self) -> Serving | None:
        """Without a key."""
        return self(self.default_key)


@frozen
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@frozen
class Client:
    """Asks the server."""

    base: str
    http: treq.client.HTTPClient

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """One request."""
        fields = {name.replace("_", "-").encode(): [value.encode()] for name, value in headers.items()}
        answer = await self.http.request(method, self.base + path, headers=cast(Any, fields), allow_redirects=False)
        body = await answer.content()
        found = {name.decode().lower(): values[-1].decode() for name, values in answer.headers.getAllRawHeaders()}
        return Reply(answer.code, found, body)


@asynccontextmanager
async def serving(find: CannedFind) -> AsyncIterator[Client]:
    """Listen while the block runs."""
    mounts = {name.decode(): resource for name, resource in FORMAT.mounts(find).items()}
    root = Root(cast(Any, find), {"api": Resource()}, mounts)
    real = cast(Any, reactor)
    port = real.listenTCP(0, ProxySite(root, real, lambda request: None), interface="127.0.0.1")
    pool = HTTPConnectionPool(real, persistent=False)
    try:
        yield Client(f"http://127.0.0.1:{port.getHost().port}", treq.client.HTTPClient(Agent(real, pool=pool)))
    finally:
        await port.stopListening()
        await pool.closeCachedConnections()


def registry(key: str = "hub", url: str = "https://quay.io", package_type: str = "docker", **table: Any) -> CannedServing:
    """A remote with nothing in it, or what the table says."""
    settings = RepositorySettings(key=key, rclass="remote", package_type=package_type, url=url)
    return CannedServing(Repository(settings, table.get("table", {})))
