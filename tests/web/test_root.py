"""Who answers an address."""

import gc
from functools import cached_property
from typing import Any, cast
from weakref import ref

import pytest
import pytest_twisted
from attrs import define, field, frozen
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import Docker
from regproxy.repo.interface import Answer, Text, Unavailable
from regproxy.web.catalog import Catalog, Table
from regproxy.web.errors import STATUS, envelope
from regproxy.web.request import ProxyRequest
from regproxy.web.root import Root
from tests.fakes.gates import guard_of
from tests.fakes.site import Answering, Client, Reply, Stage


def told(name: "str | Served") -> IResource:
    """Tells who it is, where it is mounted, and what is behind that."""

    def answer(request: ProxyRequest) -> Answer:
        line = (
            f"{name if isinstance(name, str) else name.key} {request.mount} {'|'.join(request.rest)} {sorted(request.rest_slash)}"
        )
        return Text(line.encode(), "text/plain")

    return cast(IResource, Answering(answer))


@define(eq=False)
class Format:
    """One with a word of its own."""

    api: str | None
    made: int = field(default=0)

    def failure(self, answer: Unavailable) -> Text:
        """In a shape of its own."""
        return Text(f"{self.api}: {answer.reason}".encode(), "text/plain", status=answer.status)

    def resource(self, serving: Any) -> IResource:
        """Count."""
        self.made += 1
        return told(serving)


@frozen(eq=False, weakref_slot=True)
class Served:
    """As much of what is served as is looked at."""

    key: str
    format: Format

    @cached_property
    def resource(self) -> IResource:
        """Its format's."""
        return self.format.resource(self)

    def seen_by(self, request: Any) -> "Served":
        """By everybody."""
        return self


def root(table: Table | None = None, catalog: Catalog | None = None) -> Root:
    """An API, a mount, a repository of each kind."""
    catalog = catalog or Catalog(guard_of())
    files, images = Served("files", Format(None)), Served("images", Format("docker"))
    catalog.swap(table or Table(cast(Any, {"files": files, "images": images}), cast(Any, {"files-cache": files}), Docker()))
    fixed, failures = {"api": told("api"), "livez": told("livez")}, {"v2": Format("v2").failure}
    words = {word: Format(word).failure for word in ("docker", "none", "x")}
    return Root(catalog, fixed, {"v2": told("v2")}, failures, words=words)


async def ask(target: str, method: str = "GET") -> Reply:
    """One request."""

    def work(client: Client) -> Reply:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return client.reply()

    async with Stage(root()) as stage:
        return cast(Reply, await stage.ask(work))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/files/a/b", "files /files a|b []"),
        ("/files", "files /files  []"),
        ("/files/", "files /files  []"),
        ("/artifactory/files/a", "files /artifactory/files a []"),
        ("/files-cache/a", "files /files-cache a []"),
        ("/files/a%2Fb/c", "files /files a/b|c [0]"),
        ("/artifactory/files/a/b%2Fc", "files /artifactory/files a|b/c [1]"),
        ("/files//a", "files /files |a []"),
        ("/v2/x/y", "v2 /v2 x|y []"),
        ("/artifactory/v2/x", "v2 /artifactory/v2 x []"),
        ("/livez", "livez /livez  []"),
        ("/api/system/ping", "api /api system|ping []"),
        ("/api/docker/images/v2/x", "images /api/docker/images v2|x []"),
        ("/artifactory/api/docker/images/v2", "images /artifactory/api/docker/images v2 []"),
        ("/api/docker", "api /api docker []"),
        ("/api/generic/files/a", "api /api generic|files|a []"),
        ("/%66iles/a", "files /%66iles a []"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_who_answers(target: str, expected: str) -> None:
    """By the first segments, with or without the prefix."""
    reply = await ask(target)
    assert (reply.status, reply.body.decode()) == (200, expected)


@pytest.mark.parametrize("target", ["/nobody/a", "/api/docke/nobody/v2/..", "/FILES/a", "//files"])
@pytest_twisted.ensureDeferred
async def test_nobody_answers(target: str) -> None:
    """A refusal in the envelope."""
    reply = await ask(target)
    assert (reply.status, reply.headers["content-type"]) == (400 if ".." in target else 404, "application/json")


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        ("/api/docker/nobody/v2", "GET", (404, "docker: there is no repository 'nobody'")),
        ("/api/docker/files/v2", "GET", (404, "docker: there is no repository 'files'")),
        ("/api/none/nobody/x", "GET", (404, "none: there is no repository 'nobody'")),
        ("/api/docker/images/%2e%2e/x", "GET", (400, "docker: a dot segment in the path")),
        ("/artifactory/api/docker/images/a%00b", "GET", (400, "docker: a control character or a backslash in the path")),
        ("/v2/images/..%2f..%2fx", "GET", (400, "v2: a dot segment in the path")),
        ("/artifactory/v2/%ff", "GET", (400, "v2: the path is not UTF-8")),
        ("/api/docker/images/v2", "OPTIONS", (405, "docker: this method is not served")),
        ("/v2/images/x", "TRACE", (405, "v2: this method is not served")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_refusals_in_the_words_of_a_format(target: str, method: str, expected: tuple[int, str]) -> None:
    """Also of what comes too soon for the format to see it: its clients show nothing else."""
    reply = await ask(target, method)
    assert (reply.status, reply.body.decode()) == expected


@pytest_twisted.ensureDeferred
async def test_the_root_itself() -> None:
    """Says what this is."""
    for target in ("/", "/artifactory", "/artifactory/"):
        assert (await ask(target)).body.startswith(b"This is regproxy")


@pytest_twisted.ensureDeferred
async def test_a_repositorys_resource_is_made_once() -> None:
    """However many addresses it has; nothing is left of it when it is swapped."""
    form, catalog = Format("x"), Catalog(guard_of())
    table = Table(cast(Any, {"k": Served("k", form)}), {}, Docker())
    served, there = root(table, catalog), ref(table.repositories["k"])
    del table

    def work(client: Client) -> list[int]:
        client.send(b"".join(b"GET " + each + b" HTTP/1.1\r\nHost: a\r\n\r\n" for each in (b"/k/a", b"/api/x/k/a", b"/k/b")))
        return [client.reply().status for _ in range(3)]

    async with Stage(served) as stage:
        assert await stage.ask(work) == [200] * 3
    assert form.made == 1
    catalog.swap(Table({}, {}, Docker()))
    gc.collect()
    assert there() is None


def test_every_kind_has_a_status() -> None:
    """Of an error."""
    assert set(STATUS) == set(Kind)
    assert all(400 <= status < 600 for status in STATUS.values())


def test_envelope_repeats_the_reason() -> None:
    """For clients that show the reason phrase only."""
    assert envelope(404, "gone").headers.first("x-regproxy-reason") == "gone"


@pytest_twisted.ensureDeferred
async def test_reason_phrase_is_short_ascii() -> None:
    """Whatever is in the message."""

    def answer(request: ProxyRequest) -> Answer:
        return envelope(403, "nö\t" + "x" * 500)

    def work(client: Client) -> bytes:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.file.readline()

    async with Stage(cast(IResource, Answering(answer))) as stage:
        line = await stage.ask(work)
    assert line == b"HTTP/1.1 403 n??" + b"x" * 197 + b"\r\n"


def test_errors_show_no_detail() -> None:
    """Their text is what a client sees."""
    assert "secret" not in repr(RegproxyError(Kind.INVALID, "text", detail="secret"))
