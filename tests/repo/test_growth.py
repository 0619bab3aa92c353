"""Bodies of unknown length: what goes for them as they grow, and what stays; seen without sockets or disks."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.repo.room import PATIENCE, reserve_of
from regproxy.repo.storing import Storing
from regproxy.store.memory import MemoryStore
from tests.conformance.store import name_of
from tests.fakes.remote import Bench, Body, bench, blob, content
from tests.repo.test_room import KIB, hold, take


def crowded() -> Bench:
    """A disk of which 50 KiB are free but for the reserve, which is 50; what is cached takes 900, one tenth of it each."""
    made = bench(store=MemoryStore(capacity=1000 * KIB))
    for number in range(9):
        hold(made, bytes([number]) * 100 * KIB, str(number))
    return made


def pieces(size: int) -> list[bytes]:
    """A body in pieces of 10 KiB."""
    return [bytes([200 + number]) * 10 * KIB for number in range(size // 10)]


def paths(made: Bench) -> list[str]:
    """What is cached."""
    return sorted(node.path for node in made.index.nodes("r"))


def test_a_fill_of_unknown_length_makes_room_as_it_grows() -> None:
    """Of the least recently used, in steps, and not at once; the reserve stays free; it is no trouble."""
    made, data = crowded(), b"".join(pieces(250))
    made.index.pin("r", "1", pinned=True)
    got = made.resolve(blob(data))
    body = made.upstream.answer(200, Body(None))
    body.send(data[: 10 * KIB])
    assert list("012345678") == paths(made)
    for piece in pieces(250)[1:]:
        body.send(piece)
        assert 0 == made.parts.room.lacking()
    assert list("145678") == paths(made)
    body.end()
    assert content(got[0]) == data
    assert stored_names(made) >= {name_of(data)}
    assert (made.parts.room.trouble, made.recorder.passed, made.parts.room.live()) == (None, 0, 0)


def stored_names(made: Bench) -> set[str]:
    """Of all blobs."""
    return {stat.sha256 for stat in made.store.each()}


def test_a_fill_of_unknown_length_for_which_nothing_more_may_go() -> None:
    """Passes through, when all has gone that might have been enough."""
    made, data = crowded(), b"".join(pieces(500))
    for number in range(5):
        made.index.pin("r", str(number), pinned=True)
    got = made.resolve(blob(data))
    body = made.upstream.answer(200, Body(None))
    taken = b""
    for piece in pieces(500):
        body.send(piece)
        if got:
            taken += take(got[0].readable, len(taken))
        assert made.store.space().free >= reserve_of(made.store.space()) - len(piece)
    body.end()
    assert data == taken + take(got[0].readable, len(taken))
    got[0].readable.release()
    assert list("01234") == paths(made)
    assert made.parts.room.trouble is not None
    assert made.recorder.passed == 1


def upload(made: Bench) -> tuple[Body, list[Any]]:
    """Begin one of unknown length: its body, and how it ended once it has."""
    nobody: Any = None
    body, ended = Body(None), list[Any]()
    Deferred.fromCoroutine(Storing(made.parts, nobody).body(body)).addBoth(ended.append)
    return body, ended


def test_an_upload_of_unknown_length_makes_room_as_it_grows() -> None:
    """As a fill."""
    made = crowded()
    body, ended = upload(made)
    for piece in pieces(500):
        body.send(piece)
        assert 0 == made.parts.room.lacking()
    body.end()
    assert (500 * KIB, list("5678")) == (ended[0].size, paths(made))


def test_an_upload_of_unknown_length_for_which_nothing_more_may_go() -> None:
    """Is told so; the reserve has stayed, and nothing of it is left."""
    made = crowded()
    for number in range(5):
        made.index.pin("r", str(number), pinned=True)
    body, ended = upload(made)
    for piece in pieces(500):
        if not body.aborted:
            body.send(piece)
        assert made.store.space().free >= reserve_of(made.store.space()) - len(piece)
    assert (Kind.NO_ROOM, list("01234")) == (ended[0].value.kind, paths(made))
    assert 500 * KIB == made.store.space().free


def test_room_is_taken_by_others_at_once() -> None:
    """However much there was at the last write: what may go still goes before it is too little."""
    made = crowded()
    body, ended = upload(made)
    body.send(pieces(10)[0])
    other = made.store.create(made.store.space().free)
    body.send(pieces(10)[0])
    assert (ended, len(paths(made))) == ([], 7)
    body.end()
    other.abort()
    assert 20 * KIB == ended[0].size


@pytest.mark.parametrize(("size", "goes"), [(50 * KIB, False), (50 * KIB + 1, True)])
def test_nothing_goes_in_vain_for_what_grows(size: int, *, goes: bool) -> None:
    """If even then only the reserve would be left."""
    made = crowded()
    for number in range(9):
        made.index.pin("r", str(number), pinned=True)
    body, ended = upload(made)
    body.send(pieces(10)[0])
    hold(made, b"x" * size, "loose")
    made.store.create(made.store.space().free)
    body.send(b"y")
    assert (goes, not goes) == ("loose" not in paths(made), bool(ended))


def test_an_index_that_cannot_be_asked_makes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is nothing to the body as long as there is some."""
    made = crowded()

    def fail(*_: object) -> list[Any]:
        raise RegproxyError(Kind.STORAGE, "broken")

    body, ended = upload(made)
    monkeypatch.setattr(type(made.index), "least_used", fail)
    for piece in pieces(50):
        body.send(piece)
    body.end()
    assert 50 * KIB == ended[0].size


def test_room_that_is_made_too_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fill, whose clients wait; what there is without it is used up first."""
    made, data = crowded(), b"".join(pieces(150))
    never: Deferred[int] = Deferred()

    async def free(*_: object, **__: object) -> int:
        return await never

    monkeypatch.setattr(type(made.parts.room.eviction), "free", free)
    got = made.resolve(blob(data))
    body = made.upstream.answer(200, Body(None))
    taken = b""
    for number, piece in enumerate(pieces(150)):
        body.send(piece)
        made.clock.advance(PATIENCE if number == 1 else 0)  # the first for which room is to be made
        if got:
            taken += take(got[0].readable, len(taken))
    body.end()
    assert data == taken + take(got[0].readable, len(taken))
    assert made.recorder.passed == 1
    got[0].readable.release()
