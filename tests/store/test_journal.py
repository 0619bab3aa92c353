"""Journals of spool files: what is read from what a crash may leave."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regproxy.model.ranges import Extents, Span
from regproxy.store.disk import DiskStore
from regproxy.store.interface import Keep
from regproxy.store.journal import State, read_record

EVERYTHING = Keep(0.0, 1 << 40)


@pytest.mark.parametrize(
    ("lines", "spans", "state"),
    [
        (b"", [], State.GROWING),
        (b"0 5\n5 9\nkept\n", [Span(0, 9)], State.KEPT),
        (b"0 5\nkept\n\n5 9\n", [Span(0, 9)], State.GROWING),
        (b"0 5\n5 9", [Span(0, 5)], State.GROWING),
        (b"0 5\n\0\0\0\n7 8\nfailed\n", [Span(0, 5), Span(7, 8)], State.FAILED),
        (b"0 5\n5 900\n9 3\n-1 4\n0x1 3\ncomplete\n", [Span(0, 5)], State.COMPLETE),
    ],
)
def test_what_is_read(lines: bytes, spans: list[Span], state: State) -> None:
    """Whole lines that make sense, of bytes that the file has."""
    record = read_record(lines, 100)
    assert (list(record.extents), record.state) == (spans, state)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99))), st.integers(0, 400))
def test_a_torn_end_claims_nothing_new(pairs: list[tuple[int, int]], cut: int) -> None:
    """However the file is cut, nothing is believed that was not written down."""
    lines = b"".join(b"%d %d\n" % (min(pair), max(pair)) for pair in pairs)
    whole = Extents()
    for pair in pairs:
        whole.add(Span(min(pair), max(pair)))
    for span in read_record(lines[:cut], 100).extents:
        assert whole.reach(span.start) >= span.stop


def killed(folder: Path) -> str:
    """A store whose process has died in the middle of a blob; the name of its spool file."""
    writer = DiskStore(folder).create(1 << 20, b"about")
    for offset in (0, 2500):
        writer.write_at(offset, [b"x" * 2500])
    assert os.fstat(writer.fileno()).st_blocks * 512 >= 1 << 20
    os.close(writer.fileno())  # its lock falls as it does with a process
    (name,) = [path.name for path in (folder / "spool").iterdir() if "." not in path.name]
    return name


def test_what_a_kill_leaves(tmp_path: Path) -> None:
    """It can be gone on with; it isn't clean; what was reserved for the rest is given back."""
    name = killed(tmp_path)
    store = DiskStore(tmp_path)
    store.recover(EVERYTHING)
    (left,) = store.left()
    assert (left.name, left.about, left.extents, left.clean) == (name, b"about", (Span(0, 5000),), False)
    assert left.used < 1 << 20


@pytest.mark.parametrize("harm", ["unlink spool", "unlink .meta", "unlink .extents", "link spool", "fifo spool"])
def test_litter_is_swept(tmp_path: Path, harm: str) -> None:
    """A journal without its file, a file without its journal, a second name of a blob, what is no file at all."""
    spool = tmp_path / "spool" / killed(tmp_path)
    what, which = harm.split(" ")
    path = spool if which == "spool" else spool.with_name(spool.name + which)
    if what == "link":
        (tmp_path / "blob").hardlink_to(path)
    else:
        path.unlink()
    if what == "fifo":
        os.mkfifo(path)
    store = DiskStore(tmp_path)
    store.recover(EVERYTHING)
    assert store.left() == []
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_is_being_written_is_not_left(tmp_path: Path) -> None:
    """The lock tells: in this process and in others."""
    writer = DiskStore(tmp_path).create(9, b"about")
    assert DiskStore(tmp_path).left() == []
    (name,) = [path.name for path in (tmp_path / "spool").iterdir() if "." not in path.name]
    assert DiskStore(tmp_path).resume(name, 9) is None
    writer.abort()


def test_a_torn_line_is_ended(tmp_path: Path) -> None:
    """Who goes on behind half a line does not spoil its own."""
    name = killed(tmp_path)
    with (tmp_path / "spool" / f"{name}.extents").open("ab") as file:
        file.write(b"5000 70")
    writer = DiskStore(tmp_path).resume(name, None)
    assert writer is not None
    writer.write_at(6000, [b"y" * 1000])
    writer.keep(durable=False)
    assert [left.extents for left in DiskStore(tmp_path).left()] == [(Span(0, 5000), Span(6000, 7000))]
