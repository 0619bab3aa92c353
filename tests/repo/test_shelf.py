"""Stored documents that something is made of."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Body
from regproxy.repo.shelf import INLINE, Shelf
from tests.fakes.remote import bench, blob, fetched

T = TypeVar("T")

LARGE = b"l" * (INLINE + 1)
SMALL = b"s" * INLINE


@define(eq=False)
class Waiting:
    """Threads that are all at work: nothing is done before somebody says so."""

    jobs: list[Callable[[], object]] = field(factory=list)

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Later."""
        done: Deferred[T] = Deferred()
        self.jobs.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done


def held(data: bytes) -> tuple[Waiting, Shelf, Body]:
    """A document, and a shelf whose threads are busy."""
    made, threads = bench(), Waiting()
    fetched(made, blob(data), data)
    (answer,) = made.resolve(Want("a/b", Shape.BLOB))
    return threads, Shelf(evolve(made.parts, readers=cast(Any, threads))), answer


def parsed(shelf: Shelf, answer: Body, parse: Callable[[bytes], T], limit: int = 1 << 30) -> list[Any]:
    """What comes of it, once there is something."""
    got: list[Any] = []
    Deferred.fromCoroutine(shelf.parse(answer, limit, parse)).addBoth(got.append)
    return got


def test_a_small_one_at_once() -> None:
    """Without a thread, and released."""
    threads, shelf, answer = held(SMALL)
    assert [SMALL] == parsed(shelf, answer, bytes)
    assert [] == threads.jobs


def test_a_large_one_is_in_memory_in_its_turn_only() -> None:
    """Whoever waits for a thread has read nothing yet."""
    threads, shelf, answer = held(LARGE)
    sizes: list[int] = []

    def parse(data: bytes) -> str:
        sizes.append(len(data))
        return "made"

    got = parsed(shelf, answer, parse)
    assert ([], []) == (got, sizes)
    (job,) = threads.jobs
    job()
    assert (["made"], [len(LARGE)]) == (got, sizes)


@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_mistakes_of_who_parses_are_his(data: bytes) -> None:
    """They come as they are."""

    def fails(_: bytes) -> None:
        raise ValueError("nonsense")

    threads, shelf, answer = held(data)
    got = parsed(shelf, answer, fails)
    for job in threads.jobs:
        job()
    got[0].trap(ValueError)


def test_too_large() -> None:
    """Is refused unread."""
    threads, shelf, answer = held(LARGE)
    (failure,) = parsed(shelf, answer, bytes, INLINE)
    failure.trap(RegproxyError)
    assert Kind.TOO_LARGE is failure.value.kind
    assert [] == threads.jobs
