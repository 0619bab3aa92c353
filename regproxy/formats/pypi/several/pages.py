"""Pages and lists that are made of those of several members: each once for as long as all of them stay the same.

Pages are read in threads, as those of one repository are. To lay several over one another all of them have to be in memory: one
such page at a time, and one such list.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import DeferredLock

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.documents import MEMO_BYTES, Documents, Rendered, identity, is_json, reader_of
from regproxy.formats.pypi.memo import Memo
from regproxy.formats.pypi.pages.accept import Form, choose
from regproxy.formats.pypi.pages.html_form import write_html
from regproxy.formats.pypi.pages.json_form import write_json
from regproxy.formats.pypi.pages.listing import read_list, write_list_html, write_list_json
from regproxy.formats.pypi.pages.merged import add_names, merge
from regproxy.formats.pypi.pages.project import Project
from regproxy.formats.pypi.plan import SERIAL
from regproxy.formats.pypi.several.asking import Names, Part, drop
from regproxy.model.headers import Headers
from regproxy.repo.interface import Body, Origin, Serving, ServingSeveral, Text

T = TypeVar("T")
Parts = Sequence[tuple[Serving, T]]

_HEADERS = Headers.of(cache_control="no-cache", vary="Accept")
_WORST = (Origin.STALE, Origin.FILL, Origin.JOINED, Origin.PASS, Origin.HIT, Origin.LOCAL)


@define(eq=False)
class Pages:
    """Those of one virtual repository."""

    _serving: ServingSeveral
    _rendered: Memo[Rendered] = field(factory=lambda: Memo(MEMO_BYTES, lambda rendered: len(rendered.body)), init=False)
    _lock: DeferredLock = field(factory=DeferredLock, init=False)

    async def page(self, name: str, parts: Parts[Part], accept: str | None) -> Text:
        """The page of a project in the form that a client takes; the parts are read or dropped."""
        bodies = [part for _, part in parts if isinstance(part, Body)]
        form = choose(accept, html_only=not all(is_json(body) for body in bodies))
        write = write_json if form.is_json else write_html

        def render(projects: Sequence[Project]) -> Rendered:
            return Rendered.of(write(name, merge(projects)))

        if len(bodies) < len(parts):  # what is ours is new each time
            rendered = await self._page(parts, render)
        else:
            rendered = await self._remembered((name, form.is_json), bodies, lambda: self._page(parts, render))
        return _text(rendered, bodies, form)

    async def projects(self, parts: Parts[Names], accept: str | None) -> Text:
        """The list of all projects; the parts are read or dropped."""
        bodies = [part for _, part in parts if isinstance(part, Body)]
        form = choose(accept)
        write = write_list_json if form.is_json else write_list_html
        ours = [hashlib.sha256("/".join(part).encode()).digest() for _, part in parts if not isinstance(part, Body)]
        rendered = await self._remembered(("", form.is_json, *ours), bodies, lambda: self._list(parts, write))
        return _text(rendered, bodies, form)

    async def _remembered(
        self, kind: tuple[object, ...], bodies: Sequence[Body], make: Callable[[], Coroutine[Any, Any, Rendered]]
    ) -> Rendered:
        """Use what is remembered; the bodies are released by whoever reads them, or unread."""
        begun = False

        async def begin() -> Rendered:
            nonlocal begun
            begun = True
            return await make()

        try:
            return await self._rendered.get((*kind, *map(identity, bodies)), begin)
        finally:
            if not begun:
                for body in bodies:
                    drop(body)

    async def _page(self, parts: Parts[Part], render: Callable[[Sequence[Project]], Rendered]) -> Rendered:
        (member, part), *others = parts
        if not others and isinstance(part, Body):
            read = reader_of(part)
            return await Documents(member).work(part, lambda data: render([read(data)]))
        projects: list[Project] = []
        async with _turn(self._lock, parts) as waiting:
            for member, part in waiting:
                projects.append(await Documents(member).work(part, reader_of(part)) if isinstance(part, Body) else part)
            try:
                return await self._serving.apart(lambda: render(projects))
            except (ValueError, RecursionError) as error:
                text = f"an upstream of {self._serving.repository.key} sent a page that cannot be shown: {error}"
                raise RegproxyError(Kind.UPSTREAM_BAD, text) from error

    async def _list(self, parts: Parts[Names], write: Callable[[Sequence[str]], bytes]) -> Rendered:
        found: list[str] = []
        seen: set[str] = set()
        async with _turn(self._lock, parts) as waiting:
            for member, part in waiting:
                if isinstance(part, Body):
                    await Documents(member).work(part, _adding(found, seen, part))
                else:
                    add_names(found, seen, part)
            return await self._serving.apart(lambda: Rendered.of(write(found)))


@asynccontextmanager
async def _turn(lock: DeferredLock, parts: Parts[T]) -> AsyncIterator[Iterator[tuple[Serving, T]]]:
    """Wait for one's turn; parts that were not taken by its end are dropped."""
    waiting = iter(parts)
    try:
        async with lock:
            yield waiting
    finally:
        for _, part in waiting:
            drop(part)


def _adding(found: list[str], seen: set[str], body: Body) -> Callable[[bytes], None]:
    says = is_json(body)
    return lambda data: add_names(found, seen, read_list(data, is_json=says))


def _text(rendered: Rendered, bodies: Sequence[Body], form: Form) -> Text:
    """The stalest of the parts says whence it comes."""
    origin = min((body.origin for body in bodies), key=_WORST.index, default=Origin.LOCAL)
    age = max((body.age for body in bodies if body.age is not None), default=None)
    kept = bodies[0].head.kept.only(frozenset({SERIAL})) if len(bodies) == 1 else Headers()
    return Text(rendered.body, form.value, etag=rendered.etag, headers=_HEADERS.plus(*kept), origin=origin, age=age)
