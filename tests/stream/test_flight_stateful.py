"""Any sequence of joins, leaves, stalls, cuts, resumes, failures: all end with the origin's bytes or a visible abort.

Real flights, fills, ingests, growing blobs and followers; the upstream's answers, the clients' wires, disk and time are the
machine's. What upstream is asked for, on however many connections, is answered by what the question says.
"""

import hashlib
from pathlib import Path

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.defer import Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.model.ranges import Span, parse_range
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Body as Answered
from regproxy.upstream.interface import Question, Reply
from tests.fakes.following import Reader
from tests.fakes.remote import Body, bench, blob

DATA = bytes(range(256)) * 800  # 200 KiB: the tail is 64 of them
SIZE = len(DATA)
OTHER = bytes(reversed(DATA))
ETAG = '"v1"'
FAULTS = ["whole", "other", "shifted", "refused", "busy", "down"]


@define(eq=False)
class Talk:
    """One question, and the connection that answers it."""

    question: Question
    waiting: Deferred[Reply] = field(factory=Deferred)
    body: Body | None = None
    data: bytes = DATA
    sent: int = 0
    stop: int = SIZE

    @property
    def flowing(self) -> bool:
        """Whether bytes of it may be sent."""
        return self.body is not None and self.body.consumer is not None and not self.body.aborted


@define(eq=False)
class Talks:
    """An upstream that the machine answers for."""

    name: str = "upstream.example:443"
    assumed_offline: bool = False
    doubtful: bool = False
    open: list[Talk] = field(factory=list)

    async def ask(self, question: Question) -> Reply:
        """Wait for the machine."""
        talk = Talk(question)
        talk.waiting = Deferred(lambda _: self.open.remove(talk))
        self.open.append(talk)
        return await talk.waiting

    async def close(self) -> None:
        """Nothing is open."""


def open_files() -> int:
    """Descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


class FlightMachine(RuleBasedStateMachine):
    """See above."""

    def __init__(self) -> None:
        super().__init__()
        self.files = open_files()
        self.readers: list[Reader] = []
        self.asking: list[list[object]] = []
        self.wrong = False

    @initialize(
        known=st.booleans(), verified=st.booleans(), etag=st.booleans(), landing=st.sampled_from(["continue", "park", "abandon"])
    )
    def begin(self, *, known: bool, verified: bool, etag: bool, landing: str) -> None:
        """A repository and its upstream: of a known length or not, with a digest or not, with a validator or not."""
        self.known, self.verified, self.etag = known, verified, etag
        self.made = bench(landing=landing)
        self.upstream = Talks()
        self.made.remote.upstream = self.upstream
        self.want = blob(DATA) if verified else Want("a/b", Shape.FILE)
        # Most of what can go wrong needs a body on its way and somebody who wants all of it.
        self.join(0, SIZE, whole=True)
        self.answer(self.waiting()[0])

    # Clients.

    @rule(start=st.integers(0, SIZE - 1), length=st.integers(1, SIZE), whole=st.booleans())
    def join(self, start: int, length: int, *, whole: bool) -> None:
        """One more client asks, for all of it or a part."""
        got = self.made.resolve(self.want)
        span = None if whole else Span(start, min(SIZE, start + length))
        self.asking.append([got, span])
        self.seat()

    def seat(self) -> None:
        """Whoever has an answer by now begins to read."""
        for pair in list(self.asking):
            got, span = pair
            assert isinstance(got, list)
            if not got:
                continue
            self.asking.remove(pair)
            (answer,) = got
            if not isinstance(answer, Answered):
                continue
            size = answer.head.length if answer.head.length is not None else answer.readable.size
            if size is None or (span is not None and not answer.resumable):
                span = None
            if span is None and size is not None:
                reader = Reader(answer.readable, Span(0, size), self.made.clock)
            else:
                assert span is None or isinstance(span, Span)
                reader = Reader(answer.readable, span, self.made.clock, early=span is not None)
            self.readers.append(reader)
            reader.start()

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 1 << 20), what=st.sampled_from(["leave", "stall", "go_on"]))
    def client(self, which: int, what: str) -> None:
        """A client leaves, stalls, or reads on."""
        reader = self.readers[which % len(self.readers)]
        if not reader.ended:
            getattr(reader, what)()

    # Upstream.

    def answer(self, talk: Talk, fault: str = "") -> None:
        """Answer a question honestly, or as a fault says."""
        asked = talk.question.headers.first("range")
        if fault == "down":
            self.upstream.open.remove(talk)
            talk.waiting.errback(RegproxyError(Kind.UPSTREAM_DOWN, "down"))
            return
        start, stop = 0, SIZE
        if asked is not None:
            ((start, stop),) = [(span.start, span.stop) for span in parse_range(asked, SIZE) or []]
        status, fields = 200, Headers.of(etag=ETAG) if self.etag else Headers()
        if fault in {"refused", "busy"}:
            status, length = (416 if fault == "refused" else 503), 0
        elif asked is None or fault == "whole":
            start, stop, length = 0, SIZE, SIZE
        else:
            shown = start + (1 if fault == "shifted" else 0)
            status, length = 206, stop - start
            fields = fields.plus(("content-range", f"bytes {shown}-{stop - 1}/{SIZE}"))
            if fault == "other":
                fields = fields.without("etag").plus(("etag", '"v2"'))
            if fault in {"other", "shifted"}:
                talk.data = OTHER
        if self.known or status != 200:
            fields = fields.plus(("content-length", str(length)))
        talk.body, talk.sent, talk.stop = Body(length if self.known or status != 200 else None), start, stop
        if status >= 400:
            self.upstream.open.remove(talk)
        talk.waiting.callback(Reply((Hop("https://upstream.example/a/b", status, fields),), talk.body))
        self.seat()

    def waiting(self) -> list[Talk]:
        """Questions without an answer."""
        return [talk for talk in self.upstream.open if talk.body is None]

    def flowing(self) -> list[Talk]:
        """Bodies on their way; those that were dropped are forgotten."""
        self.upstream.open = [talk for talk in self.upstream.open if talk.body is None or not talk.body.aborted]
        return [talk for talk in self.upstream.open if talk.flowing]

    @precondition(lambda self: self.waiting())
    @rule(which=st.integers(0, 1 << 20), fault=st.sampled_from(["", "", "", *FAULTS]))
    def head(self, which: int, fault: str) -> None:
        """Upstream answers: a resumed body may be refused, or be another one."""
        talks = self.waiting()
        talk = talks[which % len(talks)]
        resumes = talk.question.headers.first("range") is not None
        self.answer(talk, fault if resumes or fault in {"down", "busy"} else "")

    @precondition(lambda self: self.flowing())
    @rule(which=st.integers(0, 1 << 20), count=st.sampled_from([1, 1000, 40_000, 90_000, SIZE]), flip=st.integers(0, 3))
    def body(self, which: int, count: int, flip: int) -> None:
        """Some more bytes come; now and then, where a digest would tell, one of them is wrong."""
        talks = self.flowing()
        self.send(talks[which % len(talks)], count, flip=self.verified and flip == 0)

    def send(self, talk: Talk, count: int, *, flip: bool = False) -> None:
        """Send bytes."""
        assert talk.body is not None
        data = bytearray(talk.data[talk.sent : min(talk.stop, talk.sent + count)])
        talk.sent += len(data)
        if flip and data:
            data[0] ^= 1
        # Without a validator another body is only known by the digest, at its end.
        self.wrong = self.wrong or bool(
            data != talk.data[talk.sent - len(data) : talk.sent] or (talk.data is OTHER and not self.etag)
        )
        if data:
            talk.body.send(bytes(data))
        self.seat()

    @precondition(lambda self: self.flowing())
    @rule(which=st.integers(0, 1 << 20), slow=st.booleans(), seconds=st.sampled_from([0, 0.5, 0.5, 20]))
    def cut(self, which: int, seconds: float, *, slow: bool) -> None:
        """A connection breaks, or is given up because it stands still; mostly the rest is asked for."""
        talks = self.flowing()
        talk = talks[which % len(talks)]
        assert talk.body is not None
        self.upstream.open.remove(talk)
        talk.body.cut(Kind.UPSTREAM_SLOW if slow else Kind.UPSTREAM_DOWN)
        self.made.clock.advance(seconds)
        self.seat()

    @precondition(lambda self: any(talk.sent < talk.stop for talk in self.flowing()))
    @rule(fault=st.sampled_from(["", *FAULTS]), count=st.sampled_from([1000, 40_000, SIZE]))
    def resumes(self, fault: str, count: int) -> None:
        """A body breaks in the middle, and the question for its rest is answered in one way or another."""
        self.send(self.flowing()[0], 30_000)
        self.cut(0, 0.5, slow=False)
        for talk in self.waiting():
            self.answer(talk, fault if talk.question.headers.first("range") else "")
        for talk in self.flowing():
            self.send(talk, count)

    @precondition(lambda self: any(talk.sent == talk.stop for talk in self.flowing()))
    @rule()
    def ends(self) -> None:
        """Bodies that are complete end."""
        for talk in self.flowing():
            if talk.sent == talk.stop:
                assert talk.body is not None
                self.upstream.open.remove(talk)
                talk.body.end()
        self.seat()

    @rule(seconds=st.sampled_from([0.5, 1, 2, 10, 1000]))
    def time(self, seconds: float) -> None:
        """Time goes by: attempts to resume, patience with clients that stall, what is parked."""
        for _ in range(4):
            self.made.clock.advance(seconds / 4)
        self.seat()

    # What must hold.

    @invariant()
    def nobody_has_other_bytes(self) -> None:
        """What was sent is the origin's; a complete body is all of it."""
        for reader in self.readers:
            start = reader.span.start if reader.span else 0
            if not self.wrong:
                assert reader.got == DATA[start : start + len(reader.got)]
            if reader.ended == "whole" and not (reader.early and self.wrong):
                stop = reader.span.stop if reader.span else SIZE
                assert reader.got == DATA[start:stop]

    def teardown(self) -> None:
        """Upstream is well from now on: everything ends, and nothing is left behind."""
        if not hasattr(self, "made"):
            return
        for reader in self.readers:
            if not reader.ended:
                reader.go_on()
        for _ in range(60):
            for talk in self.waiting():
                self.answer(talk)
            for talk in self.flowing():
                self.send(talk, SIZE)
            self.ends()
            self.time(1)
        self.nobody_has_other_bytes()
        assert [reader.ended for reader in self.readers if not reader.ended] == []
        assert (self.asking, len(self.made.remote.flights)) == ([], 0)
        stored = list(self.made.store.each())
        assert {entry.sha256 for entry in stored} <= {hashlib.sha256(DATA).hexdigest()}
        self.made.clock.advance(2000)
        closing: list[object] = []
        Deferred.fromCoroutine(self.made.remote.close()).addBoth(closing.append)
        for entry in stored:
            self.made.store.delete(entry.sha256)
        assert closing == [None]
        # Fewer, when the collector came by for what an earlier test had left.
        assert open_files() <= self.files


TestFlights = FlightMachine.TestCase
TestFlights.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
