"""A blob as a source: all of it, as it comes, or an end that says that it is none."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, maybeDeferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.ranges import Span
from regproxy.store.reading import OpenBlob
from regproxy.stream.copied import PIECE, Copied
from regproxy.stream.growing import TAIL, GrowingBlob
from regproxy.stream.stored import StoredBlob
from tests.stream.test_held import Taker

T = TypeVar("T")
DATA = os.urandom(3 * PIECE + 7)


def at_once(work: Callable[[], T]) -> "Deferred[T]":
    """In place of a thread."""
    done: Deferred[T] = maybeDeferred(work)
    return done


def growing(size: int | None) -> tuple[GrowingBlob, int]:
    """One with room for the data, and the descriptor to write it to."""
    descriptor = os.memfd_create("test")
    return GrowingBlob.over(descriptor, size, withheld=True), descriptor


def taken(taker: Taker) -> bytes:
    """What came."""
    return b"".join(each for each in taker.told if isinstance(each, bytes))


@pytest_twisted.ensureDeferred
async def test_a_stored_one() -> None:
    """In pieces, and it is closed behind the last one."""
    reader, taker = OpenBlob(os.memfd_create("test"), len(DATA)), Taker()
    os.write(reader.fileno(), DATA)
    source = Copied(StoredBlob(reader, lambda: None), at_once)
    assert len(DATA) == source.length
    await source.deliver(taker)
    assert (DATA, 4) == (taken(taker), len(taker.told) - 1)
    assert -1 == reader.fileno()


@pytest.mark.parametrize("size", [len(DATA), None])
@pytest_twisted.ensureDeferred
async def test_a_growing_one(size: int | None) -> None:
    """Is followed, and its end is there with the verdict."""
    blob, descriptor = growing(size)
    taker = Taker()
    done = Copied(blob.hold(), at_once).deliver(taker)
    half = len(DATA) // 2
    for span in (Span(0, half), Span(half, len(DATA))):
        os.pwrite(descriptor, DATA[span.start : span.stop], span.start)
        blob.wrote(span)
        assert DATA[: span.stop - (0 if size and span.stop < size - TAIL else TAIL)] == taken(taker)
    assert not done.called
    blob.succeed()
    await done
    assert (DATA, 0) == (taken(taker), blob.readers)
    blob.release()
    os.close(descriptor)


@pytest_twisted.ensureDeferred
async def test_one_that_fails() -> None:
    """Is no body, however much of it came."""
    blob, descriptor = growing(len(DATA))
    taker = Taker()
    done = Copied(blob.hold(), at_once).deliver(taker)
    blob.fail(RegproxyError(Kind.INTEGRITY, "wrong bytes"))
    with pytest.raises(RegproxyError) as caught:
        await done
    assert (Kind.UPSTREAM_DOWN, 0) == (caught.value.kind, blob.readers)
    blob.release()
    os.close(descriptor)


@pytest_twisted.ensureDeferred
async def test_one_that_is_too_short() -> None:
    """What the file does not have is doubted, and the end is no end."""
    reader, doubts = OpenBlob(os.memfd_create("test"), 10), list[int]()
    with pytest.raises(RegproxyError) as caught:
        await Copied(StoredBlob(reader, lambda: doubts.append(1)), at_once).deliver(Taker())
    assert (Kind.STORAGE, [1], -1) == (caught.value.kind, doubts, reader.fileno())


def test_one_that_nobody_wants() -> None:
    """Is closed."""
    reader = OpenBlob(os.memfd_create("test"), 10)
    Copied(StoredBlob(reader, lambda: None), at_once).abort()
    assert -1 == reader.fileno()
