"""Parts of a body: what is asked for, from where, and what is taken for an answer."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.fetch import Announced, Hop
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.ranges import Span
from regproxy.model.waybill import Waybill
from regproxy.repo.asking import Asking, PartRefusedError, gives_parts
from regproxy.upstream.interface import Reply
from tests.fakes.remote import Body

SIGNED = "https://cdn.example/x?signature=1"
PART = Span(10, 20)


@define
class Upstream:
    """Answers in the order of ``replies``; ``asked`` is what it was asked: address and Range."""

    replies: list[Reply]
    asked: list[tuple[str | None, str | None]] = field(factory=list)

    async def ask(self, headers: Headers, url: str | None) -> Reply:
        """Answer."""
        self.asked.append((url, headers.first("range")))
        return self.replies.pop(0)


def reply(status: int = 206, redirected: bool = True, **headers: str) -> Reply:  # noqa: FBT001, FBT002 - reads well below
    """An answer, by way of a redirect."""
    fields = Headers.of(**{"content_range": "bytes 10-19/100", "etag": '"1"', **headers})
    first = [Hop("https://upstream.example/x", 302, Headers())] if redirected else []
    return Reply((*first, Hop(SIGNED, status, fields)), Body(10))


def asking(*replies: Reply, etag: str = '"1"', digests: tuple[Digest, ...] = (Digest.of(b"x"),)) -> tuple[Asking, Upstream]:
    """For a body of 100 bytes."""
    upstream = Upstream(list(replies))
    waybill = Waybill("r", "p", "", Announced(Head(100)), digests, Headers.of(etag=etag))
    return Asking(waybill, upstream.ask), upstream


def outcome(asked: Asking, span: Span = PART) -> Any:
    """What comes of it."""
    got: list[Any] = []
    Deferred.fromCoroutine(asked.part(span)).addBoth(got.append)
    return got[0].value if isinstance(got[0], Failure) else got[0]


def test_the_resolved_address_is_used_again() -> None:
    """The second part needs no redirect; when the address has expired, the third goes from the first hop."""
    asked, upstream = asking(reply(), reply(redirected=False), reply(403, redirected=False), reply(), reply(redirected=False))
    for _ in range(4):
        assert isinstance(outcome(asked), Body)
    assert [url for url, _ in upstream.asked] == [None, SIGNED, SIGNED, None, SIGNED]
    assert {field for _, field in upstream.asked} == {"bytes=10-19"}


def test_after_trouble_it_goes_from_the_first_hop() -> None:
    """Whatever the address was."""
    asked, upstream = asking(reply(), reply(503, redirected=False), reply())
    for _ in range(3):
        outcome(asked)
    assert [url for url, _ in upstream.asked] == [None, SIGNED, None]


def test_the_end_is_left_open() -> None:
    """The last part is asked for as a resume always was."""
    asked, upstream = asking(reply(content_range="bytes 10-99/100"))
    assert isinstance(outcome(asked, Span(10, 100)), Body)
    assert upstream.asked == [(None, "bytes=10-")]


@pytest.mark.parametrize(
    "headers",
    [
        {"content_range": "bytes 9-19/100"},
        {"content_range": "bytes 10-20/100"},
        {"content_range": "bytes 10-19/101"},
        {"content_range": "bytes 10-19/*"},
        {"content_range": ""},
        {"etag": '"2"'},
    ],
)
def test_another_part_is_refused(headers: dict[str, str]) -> None:
    """Another place, another length, another validator."""
    wrong = reply(**headers)  # type: ignore[arg-type] # none of these is a positional one
    assert isinstance(outcome(asking(wrong)[0]), PartRefusedError)
    assert isinstance(wrong.source, Body)
    assert wrong.source.aborted


@pytest.mark.parametrize("status", [200, 204, 304, 401, 403, 404, 412, 416])
def test_what_is_no_part(status: int) -> None:
    """It will not be one the next time."""
    assert isinstance(outcome(asking(reply(status))[0]), PartRefusedError)


@pytest.mark.parametrize(("status", "kind"), [(429, Kind.UPSTREAM_BUSY), (500, Kind.UPSTREAM_DOWN), (503, Kind.UPSTREAM_DOWN)])
def test_what_may_be_one_later(status: int, kind: Kind) -> None:
    """With the time to wait, if that is said."""
    found = outcome(asking(reply(status, retry_after="7"))[0])
    assert isinstance(found, RegproxyError)
    assert (found.kind, found.retry_after) == (kind, 7)


def test_a_body_without_a_validator() -> None:
    """By its digest alone."""
    assert isinstance(outcome(asking(reply(), etag="")[0]), Body)


def test_a_part_that_does_not_say_of_which_body_it_is() -> None:
    """Taken if a digest will tell; else nobody ever could: not everybody who knows Range knows If-Range."""
    assert isinstance(outcome(asking(reply(etag=""))[0]), Body)
    silent = reply(etag="")
    assert isinstance(outcome(asking(silent, digests=())[0]), PartRefusedError)
    assert isinstance(silent.source, Body)
    assert silent.source.aborted
    assert isinstance(outcome(asking(reply(), digests=())[0]), Body)


@pytest.mark.parametrize(("field", "gives"), [("bytes", True), ("Bytes", True), ("none", False), ("", False)])
def test_who_gives_parts(field: str, *, gives: bool) -> None:
    """Only who says so."""
    assert gives_parts(Headers.of(accept_ranges=field)) is gives
