"""Reading along with the writer of a spool file."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from regproxy.model.ranges import Span
from regproxy.store.attending import is_attended
from regproxy.store.disk import DiskStore
from regproxy.store.journal import EXTENTS, Journal
from tests.store.test_disk import open_below

DATA = os.urandom(1000)


def test_lines_as_they_come(tmp_path: Path) -> None:
    """Each is told once; the bytes that it speaks of are there; the end is told behind them."""
    store = DiskStore(tmp_path)
    writer = store.create(len(DATA), b"about it")
    assert writer.name is not None
    reading = store.attend(writer.name)
    assert reading is not None
    assert reading.about == b"about it"
    writer.write_at(0, [DATA[:100]])
    writer.write_at(500, [DATA[500:600]])
    growth = reading.read()
    assert ((Span(0, 100), Span(500, 600)), False, False) == (growth.extents, growth.complete, growth.failed)
    assert os.pread(reading.fileno(), 100, 500) == DATA[500:600]
    assert reading.read().extents == ()
    writer.write_at(100, [DATA[100:500]])
    writer.write_at(600, [DATA[600:]])
    writer.commit("0" * 64, durable=False)
    growth = reading.read()
    assert ((Span(100, 500), Span(600, 1000)), True, False) == (growth.extents, growth.complete, growth.failed)
    assert store.attend(writer.name or "x") is None
    assert len(open_below(tmp_path)) == 2
    reading.close()
    assert open_below(tmp_path) == []


@pytest.mark.parametrize("gone", ["", ".meta", ".extents"])
def test_what_has_gone(tmp_path: Path, gone: str) -> None:
    """Whichever of its files that is, nothing is left open."""
    store = DiskStore(tmp_path)
    writer = store.create(None, b"x")
    name = str(writer.name)
    (tmp_path / "spool" / f"{name}{gone}").unlink()
    before = open_below(tmp_path)
    assert store.attend(name) is None
    assert open_below(tmp_path) == before
    writer.abort()


def test_descriptors_that_are_used_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it got are given back."""
    store = DiskStore(tmp_path)
    writer = store.create(None, b"x")
    before, real = open_below(tmp_path), os.open

    def two(path: str, flags: int) -> int:
        if not path.endswith((".meta", ".extents")):
            raise OSError(errno.EMFILE, "used up")
        return real(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", two)
        with pytest.raises(OSError, match="used up"):
            store.attend(str(writer.name))
    assert open_below(tmp_path) == before
    writer.abort()


def test_a_lock_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is open by then is given back."""
    store = DiskStore(tmp_path)
    writer = store.create(None, b"x")
    before = open_below(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks left")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        with pytest.raises(OSError, match="no locks left"):
            store.attend(str(writer.name))
    assert open_below(tmp_path) == before
    writer.abort()


def test_what_is_given_up(tmp_path: Path) -> None:
    """The line is read though the files have gone."""
    store = DiskStore(tmp_path)
    writer = store.create(None, b"x")
    assert writer.name is not None
    reading = store.attend(writer.name)
    assert reading is not None
    assert writer.is_attended
    writer.abort()
    assert reading.read().failed
    reading.close()
    assert not writer.is_attended


def test_the_file_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is written at the worst moment, with its bytes, is not taken for nonsense."""
    store = DiskStore(tmp_path)
    writer = store.create(len(DATA), b"x")
    assert writer.name is not None
    reading = store.attend(writer.name)
    assert reading is not None
    pread = os.pread
    written: list[bool] = []

    def late(descriptor: int, count: int, offset: int) -> bytes:
        if not written:
            written.append(True)
            writer.write_at(0, [DATA])
        return pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", late)
    assert (Span(0, len(DATA)),) == reading.read().extents
    monkeypatch.undo()
    reading.close()
    writer.abort()


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    """However it is cut, each line is told once, when it is whole."""
    store = DiskStore(tmp_path)
    writer = store.create(len(DATA), b"x")
    os.pwrite(writer.fileno(), DATA, 0)
    reading = store.attend(str(writer.name))
    assert reading is not None
    told = []
    with (tmp_path / "spool" / f"{writer.name}{EXTENTS}").open("ab", buffering=0) as journal:
        for piece in (b"0 1", b"00\n200 30", b"0\n", b"400 500\n600 700\n80"):
            journal.write(piece)
            told.append(reading.read().extents)
    assert told == [(), (Span(0, 100),), (Span(200, 300),), (Span(400, 500), Span(600, 700))]
    reading.close()
    writer.abort()


def test_whether_somebody_attends(tmp_path: Path) -> None:
    """Not while there is no journal, not while nobody reads; as long as somebody does."""
    path = str(tmp_path / "spool")
    assert not is_attended(path)
    begun = Journal.begin(path, b"about")
    assert not is_attended(path)
    with Path(path + EXTENTS).open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert is_attended(path)
    assert not is_attended(path)
    assert len(open_below(tmp_path)) == 1  # the journal's own
    begun.remove()
    assert list(tmp_path.iterdir()) == []
