"""An upstream that asks to be left alone is, for as long as it said, lane by lane."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.upstream.interface import Question, Reply
from regproxy.upstream.restraint import Restrained
from tests.fakes.remote import ScriptedUpstream

URL = "https://upstream.example/x"
WHOLE, PART = Headers(), Headers.of(range="bytes=5-")


def asked(
    upstream: Restrained, lane: str = "document", url: str = URL, headers: Headers = WHOLE
) -> "list[Reply | RegproxyError]":
    """Ask; the list has the answer, or what was raised, once there is one."""
    got: list[Reply | RegproxyError] = []
    waiting = Deferred.fromCoroutine(upstream.ask(Question(url, lane=lane, headers=headers)))
    waiting.addCallbacks(got.append, lambda failure: got.append(failure.value))
    return got


@pytest.mark.parametrize(("status", "kind"), [(429, Kind.UPSTREAM_BUSY), (503, Kind.UPSTREAM_DOWN)])
def test_left_alone(status: int, kind: Kind) -> None:
    """The answer goes through; then questions of its lane fail at once, with the time that remains, until that is over."""
    scripted, clock = ScriptedUpstream(), Clock()
    upstream = Restrained(scripted, clock)
    asked(upstream)
    scripted.answer(status, retry_after="7")
    clock.advance(2.5)
    (refused,) = asked(upstream)
    assert isinstance(refused, RegproxyError)
    assert (refused.kind, refused.retry_after, len(scripted.questions)) == (kind, 5, 1)
    asked(upstream, "blob")
    assert len(scripted.questions) == 2
    clock.advance(4.5)
    asked(upstream)
    assert len(scripted.questions) == 3


@pytest.mark.parametrize(("status", "sent"), [(503, 2), (429, 1)])
def test_an_answer_to_a_part(status: int, sent: int) -> None:
    """A 503 concerns further parts only, and upstream may have the whole; a 429 concerns all of the lane."""
    scripted = ScriptedUpstream()
    upstream = Restrained(scripted, Clock())
    asked(upstream, headers=PART)
    scripted.answer(status, retry_after="7")
    (refused,) = asked(upstream, headers=PART)
    assert isinstance(refused, RegproxyError)
    asked(upstream)
    assert len(scripted.questions) == sent


def test_an_answer_to_a_whole_concerns_parts() -> None:
    """Who has enough of bodies has enough of their parts."""
    scripted = ScriptedUpstream()
    upstream = Restrained(scripted, Clock())
    asked(upstream)
    scripted.answer(503, retry_after="7")
    (refused,) = asked(upstream, headers=PART)
    assert isinstance(refused, RegproxyError)
    assert len(scripted.questions) == 1


def test_a_later_answer_does_not_shorten_it() -> None:
    """Two questions were on their way: the longer time counts."""
    scripted, clock = ScriptedUpstream(), Clock()
    upstream = Restrained(scripted, clock)
    asked(upstream)
    asked(upstream)
    scripted.answer(429, retry_after="60")
    scripted.answer(429, retry_after="1")
    clock.advance(2)
    asked(upstream)
    assert len(scripted.questions) == 2


@pytest.mark.parametrize(("status", "retry_after"), [(429, ""), (429, "0"), (503, "soon"), (500, "7"), (200, "7")])
def test_not_asked_to(status: int, retry_after: str) -> None:
    """No time, nonsense, or another status: the next question is sent."""
    scripted = ScriptedUpstream()
    upstream = Restrained(scripted, Clock())
    asked(upstream)
    scripted.answer(status, retry_after=retry_after)
    asked(upstream)
    assert len(scripted.questions) == 2


def test_it_concerns_the_host_that_said_so() -> None:
    """Where a redirect led to one that has had enough, it alone is left alone: the next redirect may lead elsewhere."""
    scripted = ScriptedUpstream()
    upstream = Restrained(scripted, Clock())
    asked(upstream, url="https://home.example/x")  # answered by upstream.example
    scripted.answer(503, retry_after="7")
    asked(upstream, url="https://home.example/y")
    assert len(scripted.questions) == 2
    (refused,) = asked(upstream)
    assert isinstance(refused, RegproxyError)
    assert "upstream.example" in refused.text
