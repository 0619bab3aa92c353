"""A repository's documents, read and rendered: each once for as long as it stays the same, large ones off the reactor."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from attrs import define, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.memo import Memo
from regproxy.formats.pypi.names import PROJECTS_PATH, page_path
from regproxy.formats.pypi.pages.accept import choose
from regproxy.formats.pypi.pages.html_form import read_html, write_html
from regproxy.formats.pypi.pages.json_form import read_json, write_json
from regproxy.formats.pypi.pages.listing import read_list, write_list_html, write_list_json
from regproxy.formats.pypi.pages.project import File, Project
from regproxy.formats.pypi.pages.release import rewrite_release
from regproxy.formats.pypi.plan import ORIGIN_URL, SERIAL
from regproxy.model.headers import Headers
from regproxy.model.want import DOCUMENT_LIMIT, Shape, Want
from regproxy.repo.interface import Answer, Body, Serving, Text

MEMO_BYTES = 48 << 20

T = TypeVar("T")

_REVALIDATE = ("cache-control", "no-cache")
_JSON = "application/json"


@frozen
class Rendered:
    """Our own bytes, with a tag of their own: they change when upstream's do, and when we render them otherwise."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Tag them."""
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@define(eq=False)
class Documents:
    """Those of one repository."""

    _serving: Serving
    _rendered: Memo[Rendered] = field(factory=lambda: Memo(MEMO_BYTES, lambda rendered: len(rendered.body)), init=False)

    async def resolve(self, path: str, name: str = "") -> Answer:
        """A document, as upstream sent it."""
        return await self._serving.repository.resolve(Want(path, Shape.DOCUMENT, name=name))

    async def find(self, name: str, filename: str) -> File | Answer | None:
        """What the index says of a file: None if it does not name it; the answer instead that says why nothing is known."""
        answer = await self.resolve(page_path(name), name)
        if not isinstance(answer, Body):
            return answer
        url = _url(answer)
        if is_json(answer):
            return await self.work(answer, lambda data: read_json(data, url, filename).find(filename))
        return await self.work(answer, lambda data: read_html(data, url).find(filename))

    async def page(self, name: str, accept: str | None) -> Answer:
        """The page of a project in the form that a client takes."""
        answer = await self.resolve(page_path(name), name)
        if not isinstance(answer, Body):
            return answer
        form, read = choose(accept, html_only=not is_json(answer)), reader_of(answer)
        write = write_json if form.is_json else write_html
        rendered = await self._render((name, form.is_json), answer, lambda data: write(name, read(data)))
        return _text(answer, rendered, form.value, {"vary": "Accept"})

    async def projects(self, accept: str | None) -> Answer:
        """The list of all projects."""
        answer = await self.resolve(PROJECTS_PATH)
        if not isinstance(answer, Body):
            return answer
        form, says = choose(accept), is_json(answer)
        write = write_list_json if form.is_json else write_list_html
        rendered = await self._render(("", form.is_json), answer, lambda data: write(read_list(data, is_json=says)))
        return _text(answer, rendered, form.value, {"vary": "Accept"})

    async def release(self, name: str, path: str, root: str) -> Answer:
        """A document of the JSON API, with files below ``root``."""
        answer = await self.resolve(path, name)
        if not isinstance(answer, Body):
            return answer
        rendered = await self._render((name, root), answer, lambda data: rewrite_release(name, data, root))
        return _text(answer, rendered, _JSON, {})

    async def _render(self, kind: tuple[object, ...], body: Body, render: Callable[[bytes], bytes]) -> Rendered:
        """Use what is remembered; the body is read and released by whoever renders it, or released unread."""
        begun = False

        async def make() -> Rendered:
            nonlocal begun
            begun = True
            return await self.work(body, lambda data: Rendered.of(render(data)))

        try:
            return await self._rendered.get((*kind, *identity(body)), make)
        finally:
            if not begun:
                body.readable.release()

    async def work(self, body: Body, work: Callable[[bytes], T]) -> T:
        """Make something of a document and release it; ``RegproxyError`` if it cannot be read."""
        try:
            return await self._serving.parse(body, DOCUMENT_LIMIT, work)
        except ValueError as error:
            raise RegproxyError(Kind.UPSTREAM_BAD, f"upstream of {self._serving.repository.key} sent {error}") from error
        except RecursionError as error:
            text = f"upstream of {self._serving.repository.key} sent a page that is nested too deeply"
            raise RegproxyError(Kind.UPSTREAM_BAD, text) from error


def reader_of(body: Body) -> Callable[[bytes], Project]:
    """How a page is read."""
    read, url = read_json if is_json(body) else read_html, _url(body)
    return lambda data: read(data, url)


def identity(body: Body) -> tuple[object, ...]:
    """What is made of two documents is the same if these are."""
    return body.head.sha256, is_json(body), _url(body)


def is_json(body: Body) -> bool:
    """Whether it is no HTML."""
    media_type = (body.head.media_type or "").partition(";")[0].strip().lower()
    return media_type == _JSON or media_type.endswith("+json")


def _url(body: Body) -> str:
    """Where a page came from in the end."""
    return body.head.kept.first(ORIGIN_URL) or ""


def _text(body: Body, rendered: Rendered, media_type: str, fields: Mapping[str, str]) -> Text:
    headers = Headers((_REVALIDATE, *fields.items())).plus(*body.head.kept.only((SERIAL,)))
    return Text(rendered.body, media_type, etag=rendered.etag, headers=headers, origin=body.origin, age=body.age)
