"""Lists of several hubs as one: who comes first, what is listed once, and where pages begin."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import pytest_twisted
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Listing, Type
from regproxy.formats.huggingface.hub import Asked
from regproxy.formats.huggingface.virtual.merging import Merging
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Serving, Text, Unavailable
from tests.formats.huggingface.virtual.scene import Member, asking, local, remote, several
from tests.formats.pypi.scene import result

ENDPOINT = "http://here/api/huggingfaceml/all"


@define
class Lists:
    """What each member lists, in pages of two unless it is told otherwise; ``instead`` of that some say something else."""

    ids: Mapping[str, Sequence[str]]
    instead: Mapping[str, Answer | RegproxyError] = field(factory=dict)
    asked: list[tuple[str, str]] = field(factory=list)

    async def ask(self, member: Serving, asked: Asked) -> Answer:
        """Answer as a hub."""
        key = member.repository.key
        self.asked.append((key, asked.query))
        other = self.instead.get(key)
        if isinstance(other, RegproxyError):
            raise other
        if other is not None:
            return other
        query = dict(parse_qsl(asked.query))
        start, most = int(query.get("at", "0")), int(query.get("limit", "2"))
        stop = start + most
        rows = [{"id": each, "sha": "x"} for each in self.ids[key][start:stop]]
        following = f'</api/models?{urlencode({**query, "at": stop})}>; rel="next"'
        return Text(json.dumps(rows).encode(), "application/json", headers=links(following if stop < len(self.ids[key]) else ""))


def links(link: str) -> Headers:
    """The header, if there is a link."""
    return Headers.of(link=link) if link else Headers()


async def pages(lists: Lists, *members: Member, query: str = "") -> list[list[str]]:
    """All pages, by their links."""
    merging = Merging(several(*members), asking(), lists.ask)
    found: list[list[str]] = []
    following: str | None = query
    while following is not None:
        answer = await merging.answer(Asked(Listing(Type.MODELS), ENDPOINT, query=following))
        assert isinstance(answer, Text), answer
        assert answer.status == 200, answer
        found.append([each["id"] for each in json.loads(answer.body)])
        link = answer.headers.first("link")
        following = None if link is None else urlsplit(link.partition(">")[0].removeprefix("<")).query
        assert link is None or link.startswith(f"<{ENDPOINT}/api/models?")
        assert len(found) < 100
    return found


@pytest_twisted.ensureDeferred
async def test_pages() -> None:
    """Local ones first; a page ends with a page of a member, and goes on with the next one behind its last."""
    lists = Lists({"a": ["x/1", "x/2", "x/3"], "b": ["x/3", "x/4"], "local": ["x/0"]})
    members = remote("a"), remote("b"), local()
    assert [["x/0", "x/1", "x/2"], ["x/3", "x/4"]] == await pages(lists, *members)
    assert [["x/0"], ["x/1"], ["x/2"], ["x/3"], ["x/3"], ["x/4"]] == await pages(lists, *members, query="limit=1")
    assert [["x/0", "x/1", "x/2"], ["x/3", "x/4"]] == await pages(lists, *members, query="limit=3")
    lists.asked.clear()
    await pages(lists, remote("a"), query="search=a b&filter=c&filter=d")
    assert ("a", "filter=c&filter=d&search=a+b") == lists.asked[0]
    assert ("a", "at=2&filter=d&search=a+b") == lists.asked[1]


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_listed() -> None:
    """One that is down, has no list, or is not for who asks is left out; an outage is told if nothing is left, or at once."""
    down, lists = Unavailable(503, "down"), {"a": ["x/1"], "b": ["x/2"]}
    nothing = Text(b"{}", "application/json", status=404)
    for instead in (down, nothing, RegproxyError(Kind.DENIED, "no"), Text(b"no list", "text/plain")):
        assert [["x/2"]] == await pages(Lists(lists, {"a": instead}), remote("a"), remote("b"))
    assert [[]] == await pages(Lists(lists, {"a": nothing}), remote("a"))
    for members in ([remote("a")], [remote("a", hard_fail=True), remote("b")]):
        merging = Merging(several(*members), asking(), Lists(lists, {"a": down}).ask)
        assert down is await merging.answer(Asked(Listing(Type.MODELS), ENDPOINT))
    with pytest.raises(RegproxyError):
        await pages(Lists(lists, {"a": RegproxyError(Kind.INVALID, "wrong")}), remote("a"))


@pytest_twisted.ensureDeferred
async def test_whose_rows() -> None:
    """What a local member has is in no list of a remote; ids that are none, or are not for who asks, are in none. Case
    makes no other id.
    """
    lists = Lists({"a": ["acme/tiny", "a/b/c", "../x"], "local": []})
    assert [[]] == await pages(Lists({"a": ["acme/tiny", "../x"], "local": []}), remote("a"), local(holds=True))
    assert [["acme/tiny"], []] == await pages(lists, remote("a"), local())
    cased = Lists({"a": ["Acme/Tiny", "x/A"], "b": ["x/a"], "local": []})
    assert [["x/A"]] == await pages(cased, remote("a"), local(holds=True), remote("b"))


@pytest.mark.parametrize("cursor", ["none~", "a~%00", "a~YQ", "~"])
def test_bad_cursors(cursor: str) -> None:
    """Are refused, and nobody is asked."""
    lists = Lists({"a": ["x/1"]})
    merging = Merging(several(remote("a")), asking(), lists.ask)
    with pytest.raises(AddressError) as caught:
        result(merging.answer(Asked(Listing(Type.MODELS), ENDPOINT, query=urlencode({"cursor": cursor}))))
    assert Kind.INVALID is caught.value.kind
    assert [] == lists.asked


@pytest_twisted.ensureDeferred
async def test_hidden_members() -> None:
    """No link names one, and a made-up one is refused as that of a repository that is not there."""
    lists = Lists({"a": ["x/1"], "b": ["x/2"]})
    hidden = local("secret", hidden=Kind.NOT_FOUND)
    merging = Merging(several(hidden, remote("a"), remote("b")), asking(), lists.ask)
    assert [["x/1"], ["x/2"]] == await pages(lists, hidden, remote("a"), remote("b"), query="limit=1")
    assert {"a", "b"} == {key for key, _ in lists.asked}
    for key in ("secret", "none"):
        with pytest.raises(AddressError, match="begin again"):
            await merging.answer(Asked(Listing(Type.MODELS), ENDPOINT, query=f"cursor={key}~"))


IDS = st.lists(st.integers(0, 9).map(lambda number: f"x/{number}"), unique=True, max_size=7)


@given(IDS, IDS, st.integers(1, 5))
def test_nothing_is_lost(first: list[str], second: list[str], limit: int) -> None:
    """Whatever the pages, all ids are on them, none twice on one, and none are too long."""
    lists = Lists({"a": first, "b": second})
    found: list[list[str]] = result(pages(lists, remote("a"), remote("b"), query=f"limit={limit}"))
    assert {*first, *second} == {each for page in found for each in page}
    assert all(len(page) <= limit and len(set(page)) == len(page) for page in found)
