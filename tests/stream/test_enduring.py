"""A writer whose disk fails or gets stuck."""

import errno
import os
import threading
from collections.abc import Sequence

from attrs import define, field

from regproxy.store.memory import MemoryStore, MemoryWriter
from regproxy.stream.enduring import EnduringWriter


@define
class Stuck:
    """A spool that stands still in a write until it is told to go on."""

    spool: MemoryWriter
    going: threading.Event = field(factory=threading.Event)
    there: threading.Event = field(factory=threading.Event)
    aborted: int = 0

    @property
    def name(self) -> str:
        """Of no file."""
        return "stuck"

    @property
    def is_attended(self) -> bool:
        """By nobody."""
        return False

    def fileno(self) -> int:
        """Its descriptor."""
        return self.spool.fileno()

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Get stuck, then write."""
        self.there.set()
        self.going.wait(30)
        assert self.aborted == 0
        self.spool.write_at(offset, buffers)

    def commit(self, sha256: str, *, durable: bool, claim: bool = False) -> None:
        """Not reached."""

    def keep(self, *, durable: bool) -> bool:
        """Not reached."""
        return False

    def settle(self) -> None:
        """Not reached."""

    def abort(self) -> None:
        """Close it."""
        self.aborted += 1
        self.spool.abort()


def test_a_thread_that_is_stuck_keeps_its_descriptor() -> None:
    """The bytes go into the window; the spool is closed when the thread comes to, so that it never writes into another file."""
    stuck = Stuck(MemoryStore().create(None))
    writer = EnduringWriter(stuck)
    thread = threading.Thread(target=lambda: writer.write_at(0, [b"abc"]))
    thread.start()
    stuck.there.wait(30)
    assert writer.give_up_disk(TimeoutError(errno.ETIMEDOUT, "stuck"))
    writer.write_at(3, [b"def"])
    writer.abort()
    assert stuck.aborted == 0
    assert writer.window is not None
    assert os.pread(writer.window.fileno(), 10, 0) == b"abcdef"
    stuck.going.set()
    thread.join()
    assert stuck.aborted == 1
    writer.window.close()
