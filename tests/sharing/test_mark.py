"""The lock and the lines of a flight's mark."""

import os
from pathlib import Path

from regproxy.sharing.mark import END, SPOOL, Mark, name_of

KEY = ("files", "a/b")


def test_one_takes_it(tmp_path: Path) -> None:
    """Until that one has closed it, however he did."""
    first, second = Mark.open(tmp_path, KEY), Mark.open(tmp_path, KEY)
    assert first.take()
    assert not second.take()
    os.close(first.fileno())
    assert second.take()
    second.close()


def test_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    """Also by who comes late; the rest of a line that is not there yet is waited for."""
    first, second = Mark.open(tmp_path, KEY), Mark.open(tmp_path, KEY)
    first.write(SPOOL, b"x y")
    assert [(SPOOL, b"x y")] == second.read()
    assert second.read() == []
    os.write(first.fileno(), b"end {")
    assert second.read() == []
    os.write(first.fileno(), b"}\n")
    assert [(END, b"{}")] == second.read()
    late = Mark.open(tmp_path, KEY)
    assert [(SPOOL, b"x y"), (END, b"{}")] == late.read()
    for mark in (first, second, late):
        mark.close()


def test_the_last_line_takes_the_name(tmp_path: Path) -> None:
    """Nothing is left behind; whoever has it open reads how it ended, and whoever comes now begins anew."""
    first, second = Mark.open(tmp_path, KEY), Mark.open(tmp_path, KEY)
    assert first.take()
    first.end(END, b"{}")
    assert second.take()
    assert second.is_over
    assert [(END, b"{}")] == second.read()
    assert list(tmp_path.iterdir()) == []
    third = Mark.open(tmp_path, KEY)
    assert third.take()
    assert not third.is_over
    second.close()
    third.close()


def test_who_ends_it_twice_takes_no_other_mark(tmp_path: Path) -> None:
    """One that has got the lock behind the end ends nothing: the name is that of whoever fills anew."""
    first, late = Mark.open(tmp_path, KEY), Mark.open(tmp_path, KEY)
    assert first.take()
    first.end(END, b"{}")
    anew = Mark.open(tmp_path, KEY)
    assert anew.take()
    assert late.take()
    late.end(END, b"{}")
    assert not anew.is_over
    anew.end(END, b"{}")
    assert list(tmp_path.iterdir()) == []


def test_keys_have_files_of_their_own() -> None:
    """Whatever their length, and wherever the border between repository and path is."""
    assert len({name_of(key) for key in (("a", "bc"), ("ab", "c"), ("a", "b" * 5000), ("a", "\udcff"))}) == 4
    assert len(name_of(("a", "b" * 5000))) == 64
