"""A repository of canned answers for what asks one, and what serves it, without sockets."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.iweb import IRequest

from regproxy.formats.pypi.plan import JSON_TYPE, ORIGIN_URL
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Body, Missing, Origin
from regproxy.stream.source import Readable
from tests.fakes.formats import Permissive

T = TypeVar("T")

URL = "https://index.example/simple/demo/"
WHEEL = "demo-1.0-py3-none-any.whl"
PAGE_PATH = ".pypi/demo.json"
WHEEL_PATH = f"demo/1.0/{WHEEL}"
DATA = b"the bytes of a wheel"
SHA = Digest.of(DATA)


def page(*files: Mapping[str, Any]) -> bytes:
    """A page in JSON."""
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files}).encode()


def entry(**more: Any) -> dict[str, Any]:
    """The wheel's."""
    return {"filename": WHEEL, "url": f"https://files.example/{WHEEL}", "hashes": {"sha256": SHA.hex}, **more}


@define(eq=False)
class Bytes:
    """A body that counts how often it is released."""

    data: bytes
    released: int = 0

    def release(self) -> None:
        """Count."""
        self.released += 1


@define(eq=False)
class Canned:
    """Holds what is in ``held``, gets what is in ``upstream``; other answers stand in ``answers``."""

    held: dict[str, bytes] = field(factory=dict)
    upstream: dict[str, bytes] = field(factory=dict)
    answers: dict[str, Answer] = field(factory=dict)
    media_type: str = JSON_TYPE
    wanted: list[Want] = field(factory=list)
    bodies: list[Bytes] = field(factory=list)
    key: str = "pypi"
    settings: RepositorySettings = RepositorySettings(key="pypi", rclass="remote", package_type="pypi", url=URL)

    def has(self, path: str, digest: Digest | None = None) -> bool:
        """Whether it is held, and has the digest."""
        return path in self.held and digest in (None, Digest.of(self.held[path]))

    async def resolve(self, want: Want) -> Answer:
        """Look it up."""
        self.wanted.append(want)
        if want.path in self.answers:
            return self.answers[want.path]
        data = self.held.get(want.path) or (self.upstream.get(want.path) if want.upstream or want.path[0] == "." else None)
        if data is None:
            return Missing("upstream does not have it")
        self.bodies.append(Bytes(data))
        head = Head(media_type=self.media_type, kept=Headers(((ORIGIN_URL, URL),))).landed(len(data), Digest.of(data).hex)
        return Body(head, cast(Readable, self.bodies[-1]), Origin.HIT, age=3)


@frozen(eq=False)
class Serving(Permissive):
    """``repo.interface.Serving``, as far as documents need it."""

    repository: Canned

    async def send(self, request: IRequest, answer: Answer) -> None:
        """Not here."""
        raise NotImplementedError

    def base_url(self, request: IRequest) -> str:
        """Not here."""
        raise NotImplementedError

    async def parse(self, answer: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Parse and release."""
        answer.readable.release()
        return parse(cast(Bytes, answer.readable).data)

    def apart(self, work: Callable[[], T]) -> "Deferred[T]":
        """At once."""
        done: Deferred[T] = maybeDeferred(work)
        return done


def result(coroutine: Any) -> Any:
    """What a coroutine that waits for nothing returns, or raises."""
    got: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(got.append)
    (outcome,) = got
    if hasattr(outcome, "raiseException"):
        outcome.raiseException()
    return outcome
