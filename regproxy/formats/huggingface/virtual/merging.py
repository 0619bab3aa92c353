"""Lists of several hubs as one: those of local members first, then those of remotes, page after page.

A page is that of one member, and of the next one once the first has no more. Where the following page begins stands in its link:
a member, and that one's own words for it. An id is listed once: no remote lists what a local member has, seen or not; of two
remotes the first one does, as far as a page reaches.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator, Sequence
from urllib.parse import parse_qsl, urlencode

import msgspec
from attrs import define, evolve, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Id, Listing, parse_id
from regproxy.formats.huggingface.documents import next_query
from regproxy.formats.huggingface.hub import JSON, NONSENSE, Asked
from regproxy.formats.huggingface.local.listing import PAGE, Page
from regproxy.formats.huggingface.names import api_path, canonical, folder_of
from regproxy.formats.huggingface.virtual.owning import Owning, folded
from regproxy.model.access import Action
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Serving, ServingSeveral, Text, is_hosting
from regproxy.repo.virtual import in_order, is_trusted
from regproxy.web.request import ProxyRequest

Ask = Callable[[Serving, Asked], Awaitable[Answer]]

_OK, _NONE = 200, 404
_HIDDEN = frozenset({Kind.DENIED, Kind.NOT_FOUND, Kind.UNAUTHENTICATED})


class _Row(msgspec.Struct):
    id: str = ""


@define
class _Found:
    """One page, as far as it is made; ``following`` is the query of the next one."""

    most: int | None
    owning: Owning
    rows: list[bytes] = field(factory=list)
    ids: set[Id] = field(factory=set)
    following: str | None = None
    trouble: Answer | None = None

    @property
    def left(self) -> int | None:
        """How many more go on it; None for as many as there are."""
        return None if self.most is None else max(0, self.most - len(self.rows))


@frozen
class Merging:
    """Answers one request; ``ask`` asks one member."""

    _serving: ServingSeveral
    _request: ProxyRequest
    _ask: Ask

    async def answer(self, asked: Asked) -> Answer:
        """A page of the list."""
        assert isinstance(asked.address, Listing)
        page = Page.of(asked.query, PAGE)
        pairs = [pair for pair in parse_qsl(canonical(asked.query), keep_blank_values=True) if pair[0] != "cursor"]
        ordered = in_order(self._visible(), lambda _: False)
        start, query = _begin(ordered, page.after, urlencode(pairs))
        found = _Found(page.limit if "limit" in page.query else None, Owning(self._serving))
        for at, member in enumerate(ordered[start:], start):
            await self._add(found, evolve(asked, query=query), member)
            query = urlencode(pairs)
            if found.trouble is not None and member.repository.settings.hard_fail:
                return found.trouble
            if found.following is not None:
                found.following = _cursor(member, found.following)
            elif found.left == 0 and at + 1 < len(ordered):
                found.following = _cursor(ordered[at + 1], "")
            if found.following is not None:
                break
        if found.trouble is not None and not found.rows:
            return found.trouble
        return Text(b"[" + b",".join(found.rows) + b"]", JSON, headers=_link(asked, pairs, found.following))

    def _visible(self) -> Iterator[Serving]:
        """Members in which he may read anything: links name no others."""
        for member in self._serving.members(self._request):
            try:
                member.permit_somewhere(self._request, Action.READ)
            except RegproxyError:
                continue
            yield member

    async def _add(self, found: _Found, asked: Asked, member: Serving) -> None:
        """Add a member's page; one who has nothing for who asks adds none, and nor does one that cannot be asked."""
        assert isinstance(asked.address, Listing)
        try:
            answer = await self._ask(member, evolve(asked, query=_limited(asked.query, found.left)))
        except RegproxyError as error:
            if error.kind not in _HIDDEN:
                raise
            return
        if not isinstance(answer, Text) or answer.status != _OK:
            if not (isinstance(answer, Text) and answer.status == _NONE):
                found.trouble = answer
            return
        try:
            rows = await self._serving.apart(lambda: _read(answer.body))
        except (ValueError, RecursionError):
            found.trouble = NONSENSE
            return
        for name, row in rows:
            repo = _id(asked.address, name)
            if repo is not None and folded(repo) not in found.ids and await self._shows(repo, member, found.owning):
                found.ids.add(folded(repo))
                found.rows.append(row)
        found.following = next_query(answer.headers.first("link"))

    async def _shows(self, repo: Id, member: Serving, owning: Owning) -> bool:
        if is_hosting(member.repository):
            return True
        if not is_trusted(member) and await owning.is_owned(repo):
            return False
        return member.permits(self._request, Action.READ, f"{folder_of(repo)}/_info.json")


def _read(body: bytes) -> list[tuple[str, bytes]]:
    rows = msgspec.json.decode(body, type=list[msgspec.Raw])
    return [(msgspec.json.decode(row, type=_Row).id, bytes(row)) for row in rows]


def _id(address: Listing, name: str) -> Id | None:
    try:
        return parse_id(address.type, name.split("/"))
    except AddressError:
        return None


def _limited(query: str, most: int | None) -> str:
    if most is None:
        return query
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "limit"]
    return urlencode([*pairs, ("limit", str(most))])


def _cursor(member: Serving, query: str) -> str:
    return f"{member.repository.key}~{urlsafe_b64encode(query.encode()).decode()}"


def _begin(ordered: Sequence[Serving], cursor: str, query: str) -> tuple[int, str]:
    """At which member a page begins, and what that one is asked."""
    if not cursor:
        return 0, query
    key, _, own = cursor.partition("~")
    at = next((at for at, member in enumerate(ordered) if member.repository.key == key), None)
    try:
        said = urlsafe_b64decode(own.encode()).decode()
    except ValueError:
        at = None
    if at is None:
        raise AddressError(Kind.INVALID, "BadRequest", "this list has no such page: begin again")
    return at, said or query


def _link(asked: Asked, pairs: Sequence[tuple[str, str]], following: str | None) -> Headers:
    if following is None:
        return Headers()
    assert isinstance(asked.address, Listing)
    query = urlencode([*pairs, ("cursor", following)])
    return Headers.of(link=f'<{asked.endpoint}/{api_path(asked.address)}?{query}>; rel="next"')
