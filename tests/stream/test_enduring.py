"""A writer whose disk fails or gets stuck."""

import errno
import os
import threading
from collections.abc import Sequence

import pytest
from attrs import define, field

from regproxy.store.memory import MemoryStore, MemoryWriter
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.window import Window


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


def test_a_disk_that_is_given_up_between_writes() -> None:
    """What was written is copied; the next bytes go into the window, and nothing is committed or kept."""
    store = MemoryStore()
    writer = EnduringWriter(store.create(None))
    writer.write_at(0, [b"abc"])
    assert not writer.give_up_disk(TimeoutError(errno.ETIMEDOUT, "stuck"))
    assert writer.window is not None
    assert (writer.turned_at, writer.name, writer.window.start) == (3, None, 0)
    assert writer.give_up_disk(TimeoutError(errno.ETIMEDOUT, "again"))
    writer.write_at(3, [b"def"])
    with pytest.raises(OSError, match="do not follow"):
        writer.write_at(7, [b"x"])
    assert os.pread(writer.window.fileno(), 10, 0) == b"abcdef"
    with pytest.raises(TimeoutError, match="stuck"):
        writer.commit("0" * 64, durable=False)
    assert not writer.keep(durable=True)
    assert store.left() == []
    writer.window.close()


def test_without_a_spool() -> None:
    """All of it goes through a window, and there is nothing to end."""
    window = Window.open(0, bounded=True)
    writer = EnduringWriter.through(window)
    writer.write_at(0, [b"abc"])
    assert (writer.fileno(), writer.is_attended, writer.name) == (window.fileno(), False, None)
    with pytest.raises(OSError, match="window"):
        writer.commit("0" * 64, durable=False)
    writer.settle()
    writer.abort()
    assert not writer.scatter()
    window.close()


def test_scattered_bytes_do_not_go_on() -> None:
    """They are written anywhere; a disk that fails then is the caller's, and no window is made."""
    store = MemoryStore(capacity=100)
    writer = EnduringWriter(store.create(None))
    assert writer.scatter()
    writer.write_at(50, [b"x" * 10])
    writer.write_at(0, [b"y" * 10])
    with pytest.raises(OSError, match="space"):
        writer.write_at(90, [b"z" * 80])
    assert not writer.give_up_disk(TimeoutError(errno.ETIMEDOUT, "stuck"))
    assert writer.window is None
    writer.abort()


@define(eq=False)
class Allowed:
    """So many bytes of the disk; counts who left."""

    most: int
    left: int = 0

    def refuses(self, end: int) -> int:
        """Beyond them: too large."""
        return errno.EFBIG if end > self.most else 0

    def leave(self) -> None:
        """Count."""
        self.left += 1


@pytest.mark.parametrize("most", [5, 6])
def test_an_allowance(most: int) -> None:
    """To the byte; beyond it the body goes on through a window, and the place is free for another one."""
    allowance = Allowed(most)
    writer = EnduringWriter(MemoryStore().create(None, b"about"), allowance=allowance)
    for offset, piece in ((0, b"abc"), (3, b"def")):
        writer.write_at(offset, [piece])
    assert ((writer.window is None), allowance.left) == ((True, 0) if most == 6 else (False, 1))
    assert writer.keep(durable=False) == (most == 6)
    assert allowance.left >= 1
    if writer.window is not None:
        assert os.pread(writer.window.fileno(), 10, 0) == b"abcdef"
        writer.window.close()
