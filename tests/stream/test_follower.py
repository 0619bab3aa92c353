"""What a follower does at each moment, without a reactor: waiting, fetching, going on elsewhere, ending."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.model.ranges import Span
from regproxy.stream import pages
from regproxy.stream.follower import LOOK, READ, READS_A_TURN, STALL, Sending, follow
from regproxy.stream.source import Readable
from tests.fakes.following import Reader
from tests.fakes.remote import InlinePool
from tests.stream.test_hashing import Later

DATA = bytes(range(256)) * (8 << 10)  # 2 MiB
SIZE = len(DATA)


@define(eq=False)
class Script:
    """A blob whose every answer is the test's; notes what it is told."""

    size: int | None = SIZE
    there: int = 0
    complete: bool = False
    failed: BaseException | None = None
    gone: int = 0
    detours: "list[Deferred[Readable]]" = field(factory=list)
    told: list[object] = field(factory=list)
    watchers: list[Callable[[], None]] = field(factory=list)
    fd: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.fd = os.memfd_create("blob")
        os.write(self.fd, DATA)

    def fileno(self, offset: int = 0) -> int:
        """Its file."""
        assert offset >= 0
        return self.fd

    def reach(self, offset: int, *, early: bool = False) -> int:
        """As far as it is there; an early reader sees a byte more."""
        return max(offset, self.there + early)

    def passed(self, offset: int) -> bool:
        """What went by."""
        return offset < self.gone

    def detour(self, offset: int) -> "Deferred[Readable]":
        """Begin one."""
        self.told.append(f"detour {offset}")
        self.detours.append(Deferred())
        return self.detours[-1]

    def returned(self) -> None:
        """Note it."""
        self.told.append("returned")

    def watch(self, changed: Callable[[], None], wanted: Span | None = None, *, early: bool = False) -> None:
        """Note what is wanted."""
        self.told.append(("watch", wanted, early))
        self.watchers.append(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Once."""
        if changed in self.watchers:
            self.watchers.remove(changed)

    def doubt(self) -> None:
        """Note it."""
        self.told.append("doubt")

    def release(self) -> None:
        """Note it."""
        self.told.append("release")

    def grow(self, there: int | None = None, *, complete: bool = False, failed: BaseException | None = None) -> None:
        """Something changes."""
        self.there = self.there if there is None else there
        self.complete, self.failed = complete, failed
        for changed in list(self.watchers):
            changed()


@pytest.fixture
def blob() -> Iterator[Script]:
    """One of which nothing is there."""
    made = Script()
    yield made
    os.close(made.fd)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


def following(blob: Script, clock: Clock, span: Span | None = None, **more: Any) -> Reader:
    """A reader that has begun."""
    reader = Reader(blob, span, clock, **more)
    reader.start()
    return reader


@pytest.mark.parametrize("span", [None, Span(0, SIZE)])
def test_all_that_is_there_and_then_the_rest(blob: Script, clock: Clock, span: Span | None) -> None:
    """Each byte as it comes; the end is the span's, or else what the blob says is its end, and no moment before."""
    reader = following(blob, clock, span)
    assert (bytes(reader.got), reader.ended, blob.told[0]) == (b"", "", ("watch", span, False))
    blob.grow(10)
    assert (bytes(reader.got), reader.ended) == (DATA[:10], "")
    clock.advance(0)
    blob.grow(SIZE - 1)
    while clock.getDelayedCalls() and len(reader.got) < SIZE - 1:
        clock.advance(0)
    clock.advance(0)
    assert (len(reader.got), reader.ended) == (SIZE - 1, "")
    blob.grow(SIZE)
    clock.advance(0)
    assert reader.ended == ("whole" if span else "")
    blob.grow(SIZE, complete=True)
    assert (bytes(reader.got) == DATA, reader.ended) == (True, "whole")
    clock.advance(0)
    assert (blob.told[1:], blob.watchers, clock.getDelayedCalls()) == (["release"], [], [])


def test_a_span_and_no_more(blob: Script, clock: Clock) -> None:
    """To the byte at both ends, though more is there."""
    blob.there, blob.complete = SIZE, True
    reader = following(blob, clock, Span(5, 15))
    clock.advance(0)
    assert (bytes(reader.got), reader.ended) == (DATA[5:15], "whole")


def test_an_early_reader(blob: Script, clock: Clock) -> None:
    """Asks as one."""
    blob.there = 9
    reader = following(blob, clock, Span(0, 10), early=True)
    clock.advance(0)
    assert (bytes(reader.got), reader.ended, blob.told[0]) == (DATA[:10], "whole", ("watch", Span(0, 10), True))


def test_a_turn_has_so_many_reads(blob: Script, clock: Clock) -> None:
    """The next ones are for the next turn; whoever takes nothing has none then."""
    blob.there, blob.complete = SIZE, True
    reader = following(blob, clock)
    assert len(reader.got) == READS_A_TURN * READ
    reader.stall()
    clock.advance(0)
    assert len(reader.got) == READS_A_TURN * READ
    reader.go_on()
    assert bytes(reader.got) == DATA
    clock.advance(0)
    assert reader.ended == "whole"


def test_paused_in_the_middle_of_a_turn(blob: Script, clock: Clock) -> None:
    """Nothing more is sent in it."""
    blob.there, blob.complete = SIZE, True
    reader = Reader(blob, None, clock)
    reader.most = READ
    reader.start()
    clock.advance(0)
    assert len(reader.got) == READ
    reader.most = 3 * READ
    reader.go_on()
    clock.advance(0)
    assert len(reader.got) == 3 * READ


@pytest.mark.parametrize("span", [None, Span(0, SIZE)])
def test_a_blob_that_fails(blob: Script, clock: Clock, span: Span | None) -> None:
    """Cuts who waits, and who is paused as well."""
    blob.there = 100
    paused = Reader(blob, span, clock)
    paused.most = 1
    paused.start()
    waiting = following(blob, clock, span)
    blob.grow(failed=ValueError("wrong"))
    assert [(reader.ended, len(reader.got)) for reader in (waiting, paused)] == [("cut", 100)] * 2
    assert blob.watchers == []


def test_one_that_failed_before(blob: Script, clock: Clock) -> None:
    """Gives what it has, and is cut then, though it has passed too."""
    blob.there, blob.failed, blob.gone = 10, ValueError("wrong"), SIZE
    reader = following(blob, clock)
    assert (bytes(reader.got), reader.ended, blob.told[1:]) == (DATA[:10], "cut", ["release"])


def test_a_span_beyond_the_end(blob: Script, clock: Clock) -> None:
    """Of a blob that is complete and shorter than was thought: cut, for nothing more comes."""
    blob.there, blob.complete, blob.size = 10, True, 10
    reader = following(blob, clock, Span(0, 11))
    assert (bytes(reader.got), reader.ended) == (DATA[:10], "cut")


def test_the_client_leaves(blob: Script, clock: Clock) -> None:
    """At once, and nothing is left behind; what comes is not sent."""
    reader = following(blob, clock)
    leave = reader._producer.stopProducing
    clock.advance(0)
    reader.leave()
    assert (reader.ended, blob.watchers, clock.getDelayedCalls()) == ("left", [], [])
    leave()
    blob.grow(10)
    assert (bytes(reader.got), blob.told[1:]) == (b"", ["release"])


def test_cold_pages_are_fetched_first(blob: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, in a thread; nobody sends them meanwhile."""
    warmed, later = list[tuple[int, int, int]](), Later()
    monkeypatch.setattr(pages, "warm", lambda *what: warmed.append(what))
    monkeypatch.setattr(pages, "is_hot", lambda *_: bool(warmed))
    blob.there = 10
    reader = following(blob, clock, Span(3, 20), readers=later)
    assert len(later.jobs) == 1
    reader.go_on()
    blob.grow(12)
    clock.pump([LOOK] * 40)  # it is the disk that is slow, not the client
    assert (len(later.jobs), bytes(reader.got), reader.ended) == (1, b"", "")
    later.all()
    assert (warmed, bytes(reader.got)) == ([(blob.fd, 3, 7)], DATA[3:12])
    blob.grow(20)
    assert (bytes(reader.got), reader.ended) == (DATA[3:20], "whole")


def test_fetched_too_late(blob: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one who has left."""
    later = Later()
    monkeypatch.setattr(pages, "is_hot", lambda *_: False)
    blob.there = 10
    reader = following(blob, clock, readers=later)
    reader.leave()
    later.all()
    assert (reader.ended, bytes(reader.got), later.jobs) == ("left", b"", [])


def test_a_turn_that_comes_while_pages_are_fetched(blob: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not fetch them once more."""
    later = Later()
    monkeypatch.setattr(pages, "is_hot", lambda _, offset, __: offset < READS_A_TURN * READ)
    blob.there = SIZE
    reader = following(blob, clock, readers=later)
    reader.stall()
    reader.go_on()
    clock.advance(0)
    assert (len(reader.got), len(later.jobs)) == (READS_A_TURN * READ, 1)


def test_pages_that_cannot_be_fetched(blob: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blob is doubted, the client cut."""

    def fail(*_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(pages, "is_hot", lambda *_: False)
    monkeypatch.setattr(pages, "warm", fail)
    blob.there = 10
    reader = following(blob, clock)
    assert (reader.ended, blob.told[1:]) == ("cut", ["doubt", "release"])


def test_a_request_that_takes_no_producer(blob: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection was lost before: nobody watches the blob for it."""

    def refuse(*_: object) -> None:
        raise RuntimeError("lost")

    monkeypatch.setattr(Reader, "registerProducer", refuse)
    blob.there = 10
    outcome: list[object] = []
    sending = Sending(clock, InlinePool(), sendfile=False)
    running = Deferred.fromCoroutine(follow(Reader(blob, None, clock), blob, None, sending))
    running.addErrback(lambda failure: outcome.append(failure.getErrorMessage()))
    assert (outcome, blob.watchers, clock.getDelayedCalls()) == (["lost"], [], [])


@pytest.mark.parametrize("how", ["short", "broken"])
def test_bytes_that_are_not_there(blob: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A file that is shorter than it was, and one that cannot be read."""
    real = os.pread

    def read(fd: int, count: int, offset: int) -> bytes:
        if how == "broken" and offset == 4:
            raise OSError(errno.EIO, "broken")
        return real(fd, count, offset)

    if how == "short":
        os.ftruncate(blob.fd, 4)
    monkeypatch.setattr(os, "pread", read)
    blob.there = 4
    reader = following(blob, clock)
    monkeypatch.setattr(pages, "is_hot", lambda *_: True)
    blob.grow(10)
    assert (bytes(reader.got), reader.ended, blob.told[1:]) == (DATA[:4], "cut", ["doubt", "release"])


def test_a_detour(blob: Script, clock: Clock) -> None:
    """Is asked for once, from where the reader is; he goes on with what it brings, which is his to release."""
    reader = following(blob, clock)
    blob.grow(10)
    blob.gone = 20
    blob.grow(0)
    assert blob.told[1:] == ["detour 10"]
    reader.stall()
    reader.go_on()  # neither is a reason to ask again, nor is the time that it takes
    clock.pump([LOOK] * 40)
    assert (blob.told[1:], blob.watchers, reader.ended) == (["detour 10"], [], "")
    rest = Script(there=15)
    blob.detours[0].callback(rest)
    assert (bytes(reader.got), rest.told) == (DATA[:15], [("watch", None, False)])
    rest.grow(SIZE, complete=True)
    while not reader.ended:
        clock.advance(0)
    assert (bytes(reader.got) == DATA, reader.ended) == (True, "whole")
    assert (blob.told[2:], rest.told[1:], rest.watchers) == (["returned", "release"], ["release"], [])
    os.close(rest.fd)


def test_a_detour_that_comes_too_late(blob: Script, clock: Clock) -> None:
    """Is released unread."""
    blob.gone = 20
    reader, rest = following(blob, clock), Script(there=15)
    reader.leave()
    assert (reader.ended, blob.told[2:]) == ("left", ["returned", "release"])
    blob.detours[0].callback(rest)
    assert (bytes(reader.got), rest.told) == (b"", ["release"])
    os.close(rest.fd)


@pytest.mark.parametrize("second", [True, False])
def test_a_detour_that_leads_nowhere(blob: Script, clock: Clock, *, second: bool) -> None:
    """Neither a second one is made, nor another try."""
    blob.gone = 20
    reader, rest = following(blob, clock), Script(gone=20)
    if second:
        blob.detours[0].callback(rest)
        assert rest.told[1:] == ["release"]
    else:
        blob.detours[0].errback(EOFError("nobody has it"))
    assert (reader.ended, blob.told.count("returned"), len(blob.detours)) == ("cut", 1, 1)
    os.close(rest.fd)


def test_waiting_is_not_the_clients_fault(blob: Script, clock: Clock) -> None:
    """Who waits for upstream is not dropped, however long; who takes nothing is, from then on."""
    blob.there = 10
    reader = following(blob, clock)
    clock.pump([LOOK] * 100)
    assert reader.ended == ""
    reader.stall()
    blob.grow(20)
    clock.pump([LOOK] * int(STALL / LOOK + 1))
    assert reader.ended == "cut"
