"""Whatever upstream, disk, clients and clock do in whatever order: no wrong byte, and nothing is left over at the end."""

from typing import Any

from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regproxy.model.ranges import Span
from regproxy.model.want import Shape, Want
from regproxy.repo.schedule import MIB
from tests.conformance.store import name_of
from tests.fakes.remote import Bench, Body, bench, blob
from tests.repo.test_room import CODES, FailingStore
from tests.repo.test_turning_back import Reader

DATA = b"".join(bytes([at]) * (256 << 10) for at in range(64))  # 16 MiB, no two pieces alike
OTHER = bytes(SIZE := len(DATA))
FAR_OFF = Span(12 * MIB, 13 * MIB)
GOOD = "part"
ANSWERS = [GOOD, GOOD, GOOD, "another body", "all of it", "elsewhere", "enough", "trouble", "gone", "unreachable"]


@define
class Sending:
    """A body on its way."""

    body: Body
    position: int
    stop: int
    data: bytes = DATA

    @property
    def is_live(self) -> bool:
        """Whether somebody takes it."""
        return self.body.consumer is not None and not self.body.aborted and not self.body._done.called


@define
class Scene:
    """A fill, its upstream, and two readers."""

    made: Bench
    want: Want
    sending: list[Sending] = field(factory=list)
    readers: list[Reader] = field(factory=list)

    def begin(self) -> None:
        """The first answer, and who reads."""
        got = self.made.resolve(self.want)
        self.sending.append(
            Sending(self.made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes"), 0, SIZE),
        )
        readable: Any = got[0].readable
        for start, stop in ((0, SIZE), (FAR_OFF.start, FAR_OFF.stop)):
            reader = Reader(readable if not start else readable.hold(), start)
            readable.watch(reader.grown, Span(start, stop))
            self.readers.append(reader)

    def answer(self, how: str) -> None:
        """Answer the oldest question."""
        upstream = self.made.upstream
        if not upstream._waiting:
            return
        asked = upstream.questions[len(upstream.questions) - len(upstream._waiting)].headers.first("range")
        assert asked is not None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        span = Span(int(first), int(last) + 1 if last else SIZE)
        shifted = span.start + (how == "elsewhere")
        headers = {
            "etag": '"v2"' if how == "another body" else '"v1"',
            "content_range": f"bytes {shifted}-{span.stop - 1}/{SIZE}",
        }
        match how:
            case "enough":
                upstream.answer(429)
            case "trouble":
                upstream.answer(503, retry_after="20")
            case "gone":
                upstream.answer(416)
            case "unreachable":
                upstream.fail()
            case "all of it":
                self.sending.append(Sending(upstream.answer(200, Body(SIZE), etag='"v1"'), 0, SIZE, OTHER))
            case _:
                body, data = upstream.answer(206, Body(len(span)), **headers), DATA if how == GOOD else OTHER
                self.sending.append(Sending(body, span.start, span.stop, data))

    def send(self, which: int, size: int) -> None:
        """Some body brings more."""
        live = [each for each in self.sending if each.is_live]
        if live:
            each = live[which % len(live)]
            stop = min(each.stop, each.position + size)
            piece, each.position = each.data[each.position : stop], stop
            each.body.send(piece)
            if stop == each.stop and each.is_live:
                each.body.end()

    def cut(self, which: int) -> None:
        """Some body breaks off."""
        live = [each for each in self.sending if each.is_live]
        if live:
            live[which % len(live)].body.cut()

    def leave(self) -> None:
        """A reader has enough."""
        if self.readers:
            reader = self.readers.pop()
            self.check(reader)
            reader.readable.unwatch(reader.grown)
            reader.readable.release()

    def check(self, reader: Reader) -> None:
        """It has nothing but the body, and all of it only if that is believed."""
        start = reader.position - len(reader.taken)
        assert bytes(reader.taken) == DATA[start : reader.position]
        if reader.position == SIZE and self.want.digest is not None:
            assert reader.readable.complete

    def land(self) -> None:
        """Nothing goes wrong any more; every reader goes, and with them what they read."""
        for turn in range(400):
            if not len(self.made.remote.flights):
                break
            self.answer(GOOD)
            self.send(turn, 4 * MIB)
            self.made.clock.advance(1)
        while self.readers:
            self.leave()
        self.made.clock.advance(2)
        for _ in range(400):
            if not len(self.made.remote.flights):
                break
            self.answer(GOOD)
            self.send(0, 4 * MIB)
            self.made.clock.advance(1)


STEP = st.one_of(
    st.tuples(st.just("answer"), st.sampled_from(ANSWERS)),
    st.tuples(st.just("send"), st.integers(0, 3), st.sampled_from([1000, MIB, 3 * MIB])),
    st.tuples(st.just("send"), st.integers(0, 3), st.sampled_from([1000, MIB, 3 * MIB])),
    st.tuples(st.just("cut"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 40.0])),
    st.tuples(st.just("fail"), st.sampled_from(CODES)),
    st.tuples(st.just("leave")),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fill=st.sampled_from(["whole", "asked"]),
    known=st.booleans(),
    segments=st.sampled_from([1, 4]),
    landing=st.sampled_from(["continue", "park"]),
    steps=st.lists(STEP, max_size=40),
)
def test_whatever_happens(fill: str, landing: str, segments: int, steps: list[Any], *, known: bool) -> None:
    """Readers have right bytes or none; then no request, timer or spare connection is left, and what is stored is the body."""
    store = FailingStore()
    made = bench(store=store, fill=fill, segments=segments, segment_threshold="1MiB", landing=landing)
    scene = Scene(made, blob(DATA) if known else Want("a/b", Shape.BLOB))
    scene.begin()
    for name, *rest in steps:
        match name:
            case "wait":
                made.clock.advance(*rest)
            case "fail":
                store.code = rest[0]
            case _:
                getattr(scene, name)(*rest)
        for reader in scene.readers:
            scene.check(reader)
    scene.land()
    assert len(made.remote.flights) == 0
    assert made.upstream._waiting == [] or all(waiting.called for waiting in made.upstream._waiting)
    assert not any(each.is_live for each in scene.sending)
    assert made.remote._spare._taken == 0
    assert made.parts.room.live() == 0
    assert {stat.sha256 for stat in store.each()} <= {name_of(DATA)}
    made.parts.room.close()
    made.parts.parking.close()
    made.clock.advance(2)
    assert made.clock.getDelayedCalls() == []
