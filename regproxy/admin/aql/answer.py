"""Answers queries: rows from the index, those that the client may see, in the shapes that scripts of this field rely on.

A search may cost what it costs within limits: so many at once (``searching``), so much time, so many results. A remote's
items are those of its companion ``X-cache``, which may be asked for by either name; those of a virtual one are its members'.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing

import msgspec
from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from regproxy.admin.aql.query import Query, read_query
from regproxy.admin.aql.virtual import Through
from regproxy.admin.desk import named
from regproxy.admin.looking import Looking, name_of
from regproxy.admin.searching import Searches
from regproxy.errors import Kind, RegproxyError
from regproxy.model.finding import Found
from regproxy.repo.interface import Text
from regproxy.web.body import read_whole
from regproxy.web.gate import Gate
from regproxy.web.items import when
from regproxy.web.request import ProxyRequest
from regproxy.web.virtual import VirtualServed

BODY_LIMIT = 128 << 10
MOST = 50_000
TRIMMED = "AQL query reached the search hard limit, results are trimmed."
NEEDED = ("repo", "path", "name")


@define(eq=False)
class Answers:
    """To those who have a name."""

    _gate: Gate
    _looking: Looking
    _clock: IReactorTime
    _searches: Searches

    async def answer(self, request: ProxyRequest) -> Text:
        """Answer one; ``RegproxyError`` says why not."""
        principal = named(request, self._gate)
        try:
            text = (await read_whole(request.body, BODY_LIMIT)).decode()
        except UnicodeDecodeError:
            raise RegproxyError(Kind.INVALID, "the query is not UTF-8") from None
        query = read_query(text, self._clock.seconds())
        if not principal.is_administrator and not set(NEEDED) <= set(query.shown):
            raise RegproxyError(Kind.INVALID, f"include has to have {', '.join(NEEDED)}, except for administrators")
        return await self._searches.run(request, lambda: self._searched(request, query))

    async def _searched(self, request: ProxyRequest, query: Query) -> Text:
        places, apart = self._looking.places(request), self._looking.readers.run
        names = {key: name_of(served) for key, served in places.items()}
        virtual = {key: served for key, served in places.items() if isinstance(served, VirtualServed)}
        through = Through.of(request, query.finding.criterion, virtual)
        gathering = Gathering(query, names, through.is_asked)
        finding = evolve(query.finding, criterion=through.criterion)
        async with aclosing(self._looking.pages(request, finding, places)) as pages:
            async for page in pages:
                seen = [(found, through.seen(request, found)) for found in page]
                taken = [(found, keys) for found, keys in seen if through.takes(found, names[found.repository], keys)]
                await apart(lambda taken=taken: gathering.add(taken))  # type: ignore[misc] # a default, not a parameter
                if gathering.is_full:
                    break
        return await apart(gathering.text)


@define(eq=False)
class Gathering:
    """Takes rows in their order, and writes down what is asked for; ``_tells`` by which virtual repositories they were seen."""

    _query: Query
    _names: Mapping[str, str]
    _tells: bool = False
    _left: int = field(init=False)
    _most: int = field(init=False)
    _written: list[msgspec.Raw] = field(factory=list, init=False)
    _known: set[bytes] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        limit = self._query.limit
        self._left, self._most = self._query.offset, MOST if limit is None else min(limit, MOST)

    @property
    def is_full(self) -> bool:
        """Whether no more is wanted."""
        return len(self._written) >= self._most

    def add(self, page: Sequence[tuple[Found, Sequence[str]]]) -> None:
        """Take some, each with the virtual repositories that were asked for it."""
        is_plain = set(NEEDED) <= set(self._query.shown)
        for found, keys in page:
            if self.is_full:
                return
            said = shown(found, self._names[found.repository], self._query)
            line = msgspec.json.encode({**said, "virtual_repos": keys} if self._tells else said)
            if self._query.distinct and not is_plain:
                if line in self._known:
                    continue
                self._known.add(line)
            if self._left:
                self._left -= 1
            else:
                self._written.append(msgspec.Raw(line))

    def text(self) -> Text:
        """The whole answer."""
        start, count = self._query.offset, len(self._written)
        about: dict[str, object] = {"start_pos": start, "end_pos": start + count, "total": count}
        if self._query.limit is not None:
            about["limit"] = self._query.limit
        if count >= MOST:
            about["notification"] = TRIMMED
        return Text(msgspec.json.encode({"results": self._written, "range": about}), "application/json")


def shown(found: Found, name: str, query: Query) -> dict[str, object]:
    """One item."""
    whole = found.path.rstrip("/")
    folder, _, last = whole.rpartition("/")
    is_folder = found.path.endswith("/")
    sha1, md5 = found.checksums.get("sha1", ""), found.checksums.get("md5", "")
    every: dict[str, object] = {
        "repo": name,
        "path": folder or ".",
        "name": last,
        "type": "folder" if is_folder else "file",
        "size": found.size,
        "depth": whole.count("/") + 1,
        "created": when(found.created),
        "created_by": found.created_by,
        "modified": when(found.modified),
        "modified_by": found.modified_by,
        "updated": when(found.modified),
        "sha256": found.sha256,
        "actual_sha1": sha1,
        "original_sha1": sha1,
        "actual_md5": md5,
        "original_md5": md5,
    }
    said = {field: every[field] for field in query.shown}
    if query.keys is None or query.keys:
        wanted = query.keys
        said["properties"] = [{"key": key, "value": value} for key, value in found.properties if wanted is None or key in wanted]
    if query.with_stats:
        last_time = {} if found.downloaded is None else {"downloaded": when(found.downloaded)}
        said["stats"] = [{"downloads": found.downloads, **last_time}]
    return said
