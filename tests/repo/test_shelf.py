"""Stored documents that something is made of."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, maybeDeferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.node import Node
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


def descriptors() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def asked(shelf: Shelf, node: Node) -> Any:
    """What comes of opening a node's blob."""
    got: list[Any] = []
    Deferred.fromCoroutine(shelf.open(node)).addBoth(got.append)
    return got[0]


def after_an_unclean_stop() -> tuple[Any, Shelf, Node]:
    """A blob that is held, and is looked at before it is served."""
    made = bench()
    fetched(made, blob(LARGE), LARGE).readable.release()
    node, shelf = made.index.node("r", "a/b"), Shelf(made.parts)
    assert node is not None
    made.index.put(node, synced=False)
    shelf.suspect()
    return made, shelf, node


def test_what_is_right_is_served_when_nobody_can_note_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an unclean stop, with a database that takes nothing: the next who asks has it looked at again."""
    made, shelf, node = after_an_unclean_stop()
    full = RegproxyError(Kind.STORAGE, "full")
    with monkeypatch.context() as patch:
        patch.setattr(type(made.index), "synced", lambda *_: fail(full))
        asked(shelf, node).release()
    assert (made.recorder.lost, made.index.unsynced()) == ([], [node.sha256])
    asked(shelf, node).release()
    assert made.index.unsynced() == []


def test_a_look_that_fails_lets_its_descriptor_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing of the blob, if that could only not be opened twice."""
    made, shelf, node = after_an_unclean_stop()
    before = descriptors()

    def used_up(*_: object) -> None:
        raise OSError(errno.EMFILE, "used up")

    with monkeypatch.context() as patch:
        patch.setattr(type(made.store), "sync", used_up)
        asked(shelf, node).trap(OSError)
    assert (made.recorder.lost, descriptors()) == ([], before)
    asked(shelf, node).release()
