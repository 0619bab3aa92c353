"""Forms are read as they come, in whatever pieces, and the file is paused by whoever takes it."""

from itertools import pairwise
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.web.body import RequestBody
from regproxy.web.form import FormFile, open_form

TYPE = 'multipart/form-data; boundary="a b"'
DATA = b"\r\n--a\r\n--a c\r\n\r\n-" * 40


def part(head: str, data: bytes) -> bytes:
    """One."""
    return f"--a b\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"


FORM = (
    part('name="x"', b"1")
    + part('name="y"', b"long")
    + part('name="f"; filename="n.bin"', DATA)
    + part('name="z"', b"")
    + b"--a b--\r\n"
)


@define(eq=False)
class Wire:
    """A connection that notes whether it is read."""

    flows: bool = False

    def hold(self) -> None:
        """Not now."""
        self.flows = False

    def flow(self) -> None:
        """Now."""
        self.flows = True

    def go_ahead(self) -> None:
        """Nobody waits for that."""


@define(eq=False)
class Taker:
    """Takes a file."""

    data: bytes = b""
    producer: IPushProducer | None = field(default=None)

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self.producer = producer

    def write(self, data: bytes) -> None:
        """Take more."""
        self.data += data


@define(eq=False)
class Sent:
    """A body under way, and what came of opening it as a form."""

    clock: Clock = field(factory=Clock)
    wire: Wire = field(factory=Wire)
    body: RequestBody = field(init=False)
    outcome: list[Any] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.body = RequestBody(None, self.wire, self.clock)
        Deferred.fromCoroutine(open_form(self.body, TYPE, {"x"}, "f")).addBoth(self.outcome.append)
        self.clock.advance(0)

    @property
    def file(self) -> FormFile:
        """What was opened."""
        (found,) = self.outcome
        assert isinstance(found, FormFile)
        return found

    @property
    def error(self) -> RegproxyError:
        """Why it was not."""
        (found,) = self.outcome
        error = found.value
        assert isinstance(error, RegproxyError)
        return error


def note(delivery: "Deferred[None]", ends: list[Any]) -> None:
    """What comes of a delivery."""
    delivery.addCallbacks(ends.append, ends.append)


def taken(file: FormFile) -> tuple[Taker, list[Any]]:
    """Have the file delivered; what its delivery comes to."""
    taker = Taker()
    ends: list[Any] = []
    note(file.deliver(taker), ends)
    return taker, ends


@given(st.lists(st.integers(1, len(FORM) - 1), max_size=30))
def test_any_pieces(cuts: list[int]) -> None:
    """The same fields and bytes, wherever the packets end."""
    sent = Sent()
    edges = [0, *sorted(cuts), len(FORM)]
    taker = Taker()
    ends: list[Any] = []
    for start, stop in pairwise(edges):
        sent.body.take(FORM[start:stop])
        if sent.outcome and taker.producer is None:
            assert sent.file.fields == {"x": "1"}
            note(sent.file.deliver(taker), ends)
    assert ends == []
    sent.body.end()
    assert (sent.file.filename, taker.data, ends) == ("n.bin", DATA, [None])


def test_nothing_is_read_while_nobody_takes_it() -> None:
    """The connection rests from the head of the file on, and whenever the one who takes it does."""
    sent = Sent()
    assert sent.wire.flows
    sent.body.take(FORM[:200])
    assert (sent.file.fields, sent.wire.flows) == ({"x": "1"}, False)
    taker, ends = taken(sent.file)
    assert sent.wire.flows
    assert taker.producer is not None
    taker.producer.pauseProducing()
    assert not sent.wire.flows
    before = taker.data
    sent.body.take(FORM[200:])
    sent.body.end()
    assert (taker.data, ends) == (before, [])
    taker.producer.resumeProducing()
    assert (taker.data, ends) == (DATA, [None])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (part('name="x"', b"1") * 2, Kind.INVALID),
        (part('name="x"', b"\xff"), Kind.INVALID),
        (part('name="x"', b"1" * (65 << 10)), Kind.TOO_LARGE),
        (part('name="q"', b"1") * 4001, Kind.INVALID),
        (b"--a b\r\nno header\r\n\r\n", Kind.INVALID),
        (part('name="q"', b"1") + b"--a b--", Kind.INVALID),
        (b"", Kind.INVALID),
    ],
)
def test_what_is_no_form(body: bytes, kind: Kind) -> None:
    """Is refused when that can be seen, and nothing more of it is read."""
    sent = Sent()
    sent.body.take(body)
    sent.body.end()
    assert sent.error.kind is kind


@pytest.mark.parametrize("behind", [part('name="x"', b"1"), part('name="f"; filename="g"', b""), b"--a b\r\n\r\n"])
def test_what_may_not_come_behind_the_file(behind: bytes) -> None:
    """Fails the file that is being taken."""
    sent = Sent()
    sent.body.take(FORM[: FORM.index(b'--a b\r\nContent-Disposition: form-data; name="z"')])
    _, ends = taken(sent.file)
    sent.body.take(behind)
    assert ends[0].value.kind is Kind.INVALID


def test_a_client_that_leaves() -> None:
    """Before the file, before it is taken, and while it is."""
    for cut, takes in ((10, False), (200, False), (200, True)):
        sent = Sent()
        sent.body.take(FORM[:cut])
        ends = taken(sent.file)[1] if takes else []
        sent.body.fail(RegproxyError(Kind.INVALID, "gone"))
        if cut == 10:
            assert sent.error.text == "gone"
        elif not takes:
            ends = taken(sent.file)[1]
        assert [each.value.text for each in ends] == ([] if cut == 10 else ["gone"])


def test_a_taker_that_gives_up() -> None:
    """The body is dropped."""
    sent = Sent()
    sent.body.take(FORM[:200])
    delivery = sent.file.deliver(Taker())
    ends: list[Any] = []
    note(delivery, ends)
    delivery.cancel()
    assert (len(ends), sent.wire.flows) == (1, False)
    sent.body.take(FORM[200:])


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "multipart/form-data", f"multipart/form-data; boundary={'a' * 300}", 'multipart/form-data; boundary="\n"'],
)
def test_other_bodies(media_type: str) -> None:
    """Are not asked for."""
    body = RequestBody(3, Wire(), Clock())
    outcome: list[Any] = []
    Deferred.fromCoroutine(open_form(body, media_type, {"x"}, "f")).addBoth(outcome.append)
    assert outcome[0].value.kind is Kind.INVALID
