"""A writer whose disk fails or gets stuck."""

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import define, field

from regproxy.store.memory import MemoryStore, MemoryWriter
from regproxy.stream.enduring import COPIED, EnduringWriter, is_trouble
from regproxy.stream.pool import Pool
from regproxy.stream.window import Window


@define
class Stuck:
    """A spool that stands still in a write until it is told to go on, and fails then if it is to."""

    spool: MemoryWriter
    error: OSError | None = None
    going: threading.Event = field(factory=threading.Event)
    there: threading.Event = field(factory=threading.Event)
    aborted: int = 0
    said: list[str] = field(factory=list)

    @property
    def name(self) -> str:
        """Of no file."""
        return "stuck"

    @property
    def is_attended(self) -> bool:
        """By somebody."""
        return True

    @property
    def due(self) -> int:
        """Some."""
        return 7

    def fileno(self) -> int:
        """Its descriptor."""
        return self.spool.fileno()

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Get stuck, then write."""
        self.there.set()
        self.going.wait(30)
        assert self.aborted == 0
        if self.error is not None:
            raise self.error
        self.spool.write_at(offset, buffers)

    def commit(self, sha256: str, *, durable: bool, claim: bool = False) -> None:
        """Note it."""
        self.said.append(f"commit {durable} {claim}")

    def keep(self, *, durable: bool) -> bool:
        """Note it."""
        self.said.append(f"keep {durable}")
        return True

    def settle(self) -> None:
        """Note it."""
        self.said.append("settle")

    def abort(self) -> None:
        """Close it."""
        self.aborted += 1
        self.spool.abort()


@define
class Writing:
    """A write in a thread of its own, and what it raised."""

    writer: EnduringWriter
    stuck: Stuck
    raised: list[OSError] = field(factory=list)
    thread: threading.Thread = field(init=False)

    @classmethod
    def begin(cls, data: bytes, *, offset: int = 0, error: OSError | None = None) -> "Writing":
        """Write behind ``abc`` and get stuck."""
        stuck = Stuck(MemoryStore().create(None), error=error)
        stuck.going.set()
        stuck.error, made = None, cls(EnduringWriter(stuck), stuck)
        made.writer.write_at(0, [b"abc"])
        stuck.error = error
        stuck.going.clear()
        stuck.there.clear()
        made.thread = threading.Thread(target=made._write, args=(offset, data))
        made.thread.start()
        stuck.there.wait(30)
        return made

    def _write(self, offset: int, data: bytes) -> None:
        try:
            self.writer.write_at(offset, [data])
        except OSError as error:
            self.raised.append(error)

    def end(self) -> list[OSError]:
        """The disk answers."""
        self.stuck.going.set()
        self.thread.join()
        return self.raised


STUCK = TimeoutError(errno.ETIMEDOUT, "stuck")


@pytest.mark.parametrize("error", [None, OSError(errno.EIO, "late")])
def test_whatever_a_stuck_disk_says_later(error: OSError | None) -> None:
    """Its bytes are in the window, once; the offset at which that took over stays."""
    writing = Writing.begin(b"def", offset=3, error=error)
    assert writing.writer.give_up_disk(STUCK)
    assert writing.end() == []
    window = writing.writer.window
    assert window is not None
    assert (writing.writer.turned_at, window.head, os.pread(window.fileno(), 10, 0)) == (3, 6, b"abcdef")
    window.close()


@pytest.mark.parametrize("error", [None, OSError(errno.EIO, "late"), OSError(errno.EBADF, "odd")])
def test_bytes_that_do_not_follow_cannot_be_taken_over(error: OSError | None) -> None:
    """They are the disk's, and so is its failure."""
    writing = Writing.begin(b"xyz", offset=5, error=error)
    assert not writing.writer.give_up_disk(STUCK)
    assert writing.end() == ([error] if error else [])
    assert writing.writer.window is None
    writing.writer.abort()


def test_an_error_that_is_no_trouble_of_a_disk() -> None:
    """Fails the body, though its bytes would follow."""
    writing = Writing.begin(b"def", offset=3, error=OSError(errno.EBADF, "odd"))
    assert [error.errno for error in writing.end()] == [errno.EBADF]
    assert writing.writer.window is None
    writing.writer.abort()


def test_scattered_while_it_is_stuck() -> None:
    """Nothing goes on in a window then, whoever asks for it; and what went into one is not scattered any more."""
    writing = Writing.begin(b"def", offset=3, error=OSError(errno.EIO, "late"))
    assert writing.writer.scatter()
    assert not writing.writer.give_up_disk(STUCK)
    assert [error.errno for error in writing.end()] == [errno.EIO]
    assert (writing.writer.window, writing.writer.in_order) == (None, False)
    writing.writer.abort()
    turned = Writing.begin(b"def", offset=3)
    assert turned.writer.give_up_disk(STUCK)
    assert not turned.writer.scatter()
    assert turned.writer.in_order
    turned.end()
    assert turned.writer.window is not None
    turned.writer.window.close()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("size", [COPIED, COPIED + 1])
def test_where_the_window_opens(size: int, *, whole: bool) -> None:
    """At byte 0 if what is written is little, or if all of it is to be there; else behind it, and the spool stays to be read."""
    data = os.urandom(size)
    spool = MemoryStore(capacity=size).create(None)
    writer = EnduringWriter(spool, whole)
    writer.write_at(0, [data])
    assert (writer.window, writer.turned_at) == (None, size)
    writer.write_at(size, [b"more"])
    window = writer.window
    assert window is not None
    start = 0 if whole or size == COPIED else size
    assert (window.start, window.head, window.bounded, writer.turned_at) == (start, size + 4, not whole, size)
    assert os.pread(window.fileno(), size + 10, start) == (data + b"more")[start:]
    assert os.pread(writer.fileno(), size, 0) == data
    assert writer.error is not None
    assert writer.error.errno == errno.ENOSPC
    writer.abort()
    window.close()


def test_the_spools_name_and_end() -> None:
    """Are the body's, as long as that is where it goes."""
    allowance = Allowed(10)
    stuck = Stuck(MemoryStore().create(None))
    stuck.going.set()
    writer = EnduringWriter(stuck, allowance=allowance)
    assert (writer.name, writer.is_attended, writer.fileno(), allowance.left) == ("stuck", True, stuck.fileno(), 0)
    assert 7 == writer.due
    writer.commit("0" * 64, durable=True, claim=True)
    assert allowance.left == 1
    writer.commit("0" * 64, durable=False)
    assert stuck.said.pop() == "commit False False"
    writer.settle()
    assert writer.keep(durable=True)
    assert (stuck.said, allowance.left) == (["commit True True", "settle", "keep True"], 3)
    writer.give_up_disk(STUCK)
    assert (writer.name, writer.is_attended, writer.due) == (None, True, 0)
    assert (writer.keep(durable=True), stuck.said[3:], stuck.aborted) == (False, [], 1)
    assert writer.window is not None
    writer.window.close()


def test_a_spool_that_cannot_be_removed() -> None:
    """Is nobody's failure: the next start removes it."""

    class Refusing(Stuck):
        def abort(self) -> None:
            """Fail."""
            raise OSError(errno.EIO, "not even that")

    spool = MemoryStore().create(None)
    EnduringWriter(Refusing(spool)).abort()
    spool.abort()


def test_why_there_is_no_spool() -> None:
    """Is said to whoever wants to keep the body; a document's window is not bounded."""
    window = Window.open(5, bounded=False)
    writer = EnduringWriter.through(window, OSError(errno.EROFS, "read-only"))
    assert (writer.whole, writer.turned_at, writer.scatter(), writer.keep(durable=False)) == (True, 5, False, False)
    with pytest.raises(OSError, match="read-only"):
        writer.commit("0" * 64, durable=False)
    window.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EROFS, True), (errno.EMFILE, True), (errno.EBADF, False), (None, False)],
)
def test_which_troubles_are_meant(code: int | None, *, expected: bool) -> None:
    """The disk's own; what is wrong with us is not."""
    assert is_trouble(OSError(code, "why") if code else OSError("why")) is expected


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
    assert (writer.turned_at, writer.name, writer.window.start, writer.window.bounded) == (3, None, 0, True)
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


def test_scattered_bytes_are_allowed_to_the_byte() -> None:
    """By where they end, not by how many there are."""
    writer = EnduringWriter(MemoryStore().create(None), allowance=Allowed(10))
    writer.scatter()
    writer.write_at(6, [b"ab", b"cd"])
    with pytest.raises(OSError, match=r".") as caught:
        writer.write_at(7, [b"ab", b"cd"])
    assert caught.value.errno == errno.EFBIG
    writer.abort()


@define(eq=False)
class Allowed:
    """So many bytes of the disk; counts who left."""

    most: int
    left: int = 0

    def ahead(self, pool: Pool) -> Pool:
        """Nothing is made."""
        return pool

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


def test_a_spool_that_cannot_be_read_either() -> None:
    """The window that was to have its bytes is closed again."""
    spool = MemoryStore(capacity=4).create(None)
    writer = EnduringWriter(spool)
    writer.write_at(0, [b"abcd"])
    os.ftruncate(spool.fileno(), 0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(EOFError):
        writer.write_at(4, [b"e"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    writer.abort()
