"""A file of lines: batches, rotation, trouble, and several processes."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from regproxy.telemetry.lines import MOST, PERIOD, Lines
from tests.fakes.killing import ROOT


def form(entries: Sequence[str]) -> bytes:
    """A line each."""
    return "".join(f"{entry}\n" for entry in entries).encode()


@define
class Thread:
    """Does its work when it is told to."""

    work: list[tuple[Callable[[], None], "Deferred[None]"]] = field(factory=list)

    def run(self, work: Callable[[], None]) -> "Deferred[None]":
        """Later."""
        done: Deferred[None] = Deferred()
        self.work.append((work, done))
        return done

    def go(self) -> None:
        """Now."""
        for work, done in [self.work.pop(0) for _ in list(self.work)]:
            work()
            done.callback(None)


def at_once(work: Callable[[], None]) -> "Deferred[None]":
    """Without a thread."""
    work()
    return succeed(None)


def test_a_batch_for_many(tmp_path: Path) -> None:
    """Nothing is written before its time; then all of it, in order."""
    clock, path = Clock(), tmp_path / "log"
    lines = Lines(path, form, clock, at_once)
    for number in range(3):
        lines.write(str(number))
    assert not path.exists()
    clock.advance(PERIOD)
    assert path.read_text() == "0\n1\n2\n"
    lines.write("3")
    clock.advance(PERIOD)
    assert path.read_text() == "0\n1\n2\n3\n"


def test_closing_writes_the_rest(tmp_path: Path) -> None:
    """Also what came while the thread was busy with what was before."""
    clock, path, thread = Clock(), tmp_path / "log", Thread()
    lines = Lines(path, form, clock, thread.run)
    lines.write("a")
    clock.advance(PERIOD)
    lines.write("b")
    closed = Deferred.fromCoroutine(lines.close())
    thread.go()
    assert not closed.called
    thread.go()
    assert closed.called
    assert path.read_text() == "a\nb\n"
    assert clock.getDelayedCalls() == []


def test_reopened_after_rotation(tmp_path: Path) -> None:
    """What was taken before goes to the old file or the new one, and what comes then to the new one; nothing is lost."""
    clock, path, moved = Clock(), tmp_path / "log", tmp_path / "log.1"
    lines = Lines(path, form, clock, at_once)
    lines.write("a")
    clock.advance(PERIOD)
    path.rename(moved)
    lines.write("b")
    clock.advance(PERIOD)
    lines.reopen()
    clock.advance(PERIOD)
    lines.write("c")
    clock.advance(PERIOD)
    assert (moved.read_text(), path.read_text()) == ("a\nb\n", "c\n")


def test_a_thread_that_hangs_costs_a_bounded_number_of_entries(tmp_path: Path) -> None:
    """The rest is dropped, and counted."""
    clock, thread = Clock(), Thread()
    lines = Lines(tmp_path / "log", form, clock, thread.run)
    lines.write("first")
    clock.advance(PERIOD)
    for _ in range(MOST + 3):
        lines.write("more")
    clock.pump([PERIOD] * 3)
    assert (lines.dropped, len(thread.work)) == (3, 1)


def test_a_full_disk_is_said_once_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Writing goes on when there is room again."""
    clock, path, broken = Clock(), tmp_path / "log", [True]

    def run(work: Callable[[], None]) -> "Deferred[None]":
        return fail(OSError(28, "no space")) if broken[0] else at_once(work)

    lines = Lines(path, form, clock, run)
    for _ in range(2):
        lines.write("lost")
        clock.advance(PERIOD)
    broken[0] = False
    lines.write("kept")
    clock.advance(PERIOD)
    assert (lines.dropped, path.read_text()) == (2, "kept\n")
    assert capsys.readouterr().out == ""


def test_stdout(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path; closing leaves it open."""
    monkeypatch.setattr("sys.__stdout__", None)
    for _ in range(2):
        lines = Lines(None, form, Clock(), at_once)
        lines.write("a")
        Deferred.fromCoroutine(lines.close())
    assert len(capfd.readouterr().out.splitlines()) == 2


WRITER = """
import json, sys
from pathlib import Path
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from regproxy.telemetry.lines import PERIOD, Lines

clock = Clock()
lines = Lines(
    Path(sys.argv[1]), lambda entries: b"".join(json.dumps(each).encode() + b"\\n" for each in entries), clock,
    lambda work: succeed(work()),
)
for number in range(300):
    lines.write((sys.argv[2], number, sys.argv[2] * 9000))
    if number % 7 == 0:
        clock.advance(PERIOD)
clock.advance(PERIOD)
"""


def test_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Three processes at once, lines longer than any buffer: each line is whole."""
    path = tmp_path / "log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=ROOT) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((name, number, name * 9000) for name in "abc" for number in range(300)) == sorted(map(tuple, entries))
