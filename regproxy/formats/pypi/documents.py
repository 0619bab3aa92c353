"""A repository's documents, read and rendered: each once for as long as it stays the same, large ones off the reactor."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from attrs import define, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.memo import Memo
from regproxy.formats.pypi.names import PROJECTS_PATH, page_path
from regproxy.formats.pypi.pages.accept import choose
from regproxy.formats.pypi.pages.html_form import read_html, write_html
from regproxy.formats.pypi.pages.json_form import read_json, write_json
from regproxy.formats.pypi.pages.listing import read_list, write_list_html, write_list_json
from regproxy.formats.pypi.pages.project import Project
from regproxy.formats.pypi.pages.release import rewrite_release
from regproxy.formats.pypi.plan import ORIGIN_URL, SERIAL
from regproxy.model.headers import Headers
from regproxy.model.want import DOCUMENT_LIMIT, Shape, Want
from regproxy.repo.interface import Answer, Body, Serving, Text

INLINE = 96 << 10
MEMO_BYTES = 24 << 20

T = TypeVar("T")

_REVALIDATE = ("cache-control", "no-cache")
_JSON = "application/json"


@frozen
class Parsed:
    """A project, and the bytes of the document that it was read from."""

    project: Project
    size: int


@define(eq=False)
class Documents:
    """Those of one repository."""

    _serving: Serving
    _projects: Memo[Parsed] = field(factory=lambda: Memo(MEMO_BYTES, lambda parsed: 4 * parsed.size), init=False)
    _pages: Memo[bytes] = field(factory=lambda: Memo(MEMO_BYTES, len), init=False)

    async def resolve(self, path: str, name: str = "") -> Answer:
        """A document, as upstream sent it."""
        return await self._serving.repository.resolve(Want(path, Shape.DOCUMENT, name=name))

    async def project(self, name: str) -> Project | Answer:
        """What the index says of a project; the answer instead that says why nothing is known."""
        answer = await self.resolve(page_path(name), name)
        return await self._parsed(answer) if isinstance(answer, Body) else answer

    async def page(self, name: str, accept: str | None) -> Answer:
        """The page of a project in the form that a client takes."""
        answer = await self.resolve(page_path(name), name)
        if not isinstance(answer, Body):
            return answer
        project = await self._parsed(answer)
        form = choose(accept, html_only=not project.from_json)
        write = write_json if form.is_json else write_html
        key = (*_key(answer), name, form.is_json)
        page = await self._pages.get(key, lambda: self._work(4 * (answer.head.length or 0), lambda: write(name, project)))
        return _text(answer, page, form.value, {"vary": "Accept"})

    async def projects(self, accept: str | None) -> Answer:
        """The list of all projects."""
        answer = await self.resolve(PROJECTS_PATH)
        if not isinstance(answer, Body):
            return answer
        form = choose(accept)
        write = write_list_json if form.is_json else write_list_html
        is_json = _is_json(answer)
        page = await self._read((*_key(answer), form.is_json), answer, lambda data: write(read_list(data, is_json=is_json)))
        return _text(answer, page, form.value, {"vary": "Accept"})

    async def release(self, name: str, path: str, root: str) -> Answer:
        """A document of the JSON API, with files below ``root``."""
        answer = await self.resolve(path, name)
        if not isinstance(answer, Body):
            return answer
        page = await self._read((*_key(answer), root), answer, lambda data: rewrite_release(name, data, root))
        return _text(answer, page, _JSON, {})

    async def _parsed(self, body: Body) -> Project:
        url, is_json = body.head.kept.first(ORIGIN_URL) or "", _is_json(body)

        async def make() -> Parsed:
            data = await self._serving.read(body, DOCUMENT_LIMIT)
            read = read_json if is_json else read_html
            return Parsed(await self._work(len(data), lambda: read(data, url)), len(data))

        return (await self._once(self._projects, (*_key(body), is_json), body, make)).project

    async def _read(self, key: tuple[object, ...], body: Body, render: Callable[[bytes], bytes]) -> bytes:
        async def make() -> bytes:
            data = await self._serving.read(body, DOCUMENT_LIMIT)
            return await self._work(len(data), lambda: render(data))

        return await self._once(self._pages, key, body, make)

    async def _once(self, memo: Memo[T], key: tuple[object, ...], body: Body, make: "Callable[[], Awaitable[T]]") -> T:
        """Use what is remembered; the body is read and released by ``make``, or released unread."""
        begun = False

        async def noting() -> T:
            nonlocal begun
            begun = True
            return await make()

        try:
            return await memo.get(key, noting)
        finally:
            if not begun:
                body.readable.release()

    async def _work(self, size: int, work: Callable[[], T]) -> T:
        try:
            return work() if size <= INLINE else await self._serving.apart(work)
        except ValueError as error:
            raise RegproxyError(Kind.UPSTREAM_BAD, f"upstream of {self._serving.repository.key} sent {error}") from error


def _key(body: Body) -> tuple[object, ...]:
    return body.head.sha256, body.head.kept.first(ORIGIN_URL)


def _is_json(body: Body) -> bool:
    media_type = (body.head.media_type or "").partition(";")[0].strip().lower()
    return media_type == _JSON or media_type.endswith("+json")


def _text(body: Body, page: bytes, media_type: str, fields: Mapping[str, str]) -> Text:
    """Our own bytes, with a tag of their own: they change when upstream's do, and when we render them otherwise."""
    etag = f'"{hashlib.sha256(page).hexdigest()[:32]}"'
    headers = Headers((_REVALIDATE, *fields.items())).plus(*body.head.kept.only((SERIAL,)))
    return Text(page, media_type, etag=etag, headers=headers, origin=body.origin, age=body.age)
