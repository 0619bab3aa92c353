"""A lane whose disk does not answer."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.model.ranges import Extents
from regproxy.store.memory import MemoryStore
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.hashing import Hashes, PrefixHashes
from regproxy.stream.lane import STALL, Lane
from tests.fakes.remote import InlinePool
from tests.stream.test_hashing import Later


class Nothing:
    """Bytes that nobody hashes here."""

    extents = Extents()

    def fileno(self) -> int:
        """Not read."""
        return -1


def test_scattered_bytes_fail_and_are_not_written_late() -> None:
    """The job that waited for the stuck disk does not run when the disk comes to: its fill has ended by then."""
    writer, disk, clock = EnduringWriter(MemoryStore().create(None)), Later(), Clock()
    hashes = PrefixHashes(Hashes.of((), None), Nothing(), InlinePool())
    lane = Lane(writer, disk, InlinePool(), clock, hashes)  # type: ignore[arg-type] # enough of a pool
    writer.scatter()
    ran, outcome = list[int](), list[object]()
    lane.run(lambda: ran.append(1)).addErrback(lambda failure: outcome.append(failure.type))
    clock.advance(STALL - 0.1)
    assert outcome == []
    clock.advance(0.1)
    assert outcome == [TimeoutError]
    disk.all()
    assert ran == []
    writer.abort()


def test_an_answer_in_time() -> None:
    """No timer is left behind it."""
    writer, disk, clock = EnduringWriter(MemoryStore().create(None)), Later(), Clock()
    hashes = PrefixHashes(Hashes.of((), None), Nothing(), InlinePool())
    lane = Lane(writer, disk, InlinePool(), clock, hashes)  # type: ignore[arg-type] # as above
    outcome: list[object] = []
    running: Deferred[None] = lane.run(lambda: None)
    running.addCallback(outcome.append)
    clock.advance(STALL - 0.1)
    disk.all()
    assert (outcome, clock.getDelayedCalls()) == ([None], [])
    writer.abort()
