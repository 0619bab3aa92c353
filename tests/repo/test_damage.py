"""Stored blobs that are not there any more, or are shorter: what is counted and said of them, how often, and when nothing is."""

import errno
import hashlib
import os
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail

from regproxy.errors import Kind, RegproxyError
from regproxy.index.memory import MemoryIndex
from regproxy.model.node import Node
from regproxy.model.want import Shape, Want
from regproxy.repo import damage
from regproxy.repo.damage import LOOK_SECONDS, LOOKS, TOLD_AGAIN, condemn
from regproxy.repo.interface import Origin
from regproxy.sharing.flights import Unshared
from regproxy.sharing.terms import Terms
from regproxy.store.memory import MemoryStore
from tests.conformance.store import stored
from tests.fakes.remote import BIG, Bench, Body, bench, blob, content, fetched

SHA = hashlib.sha256(BIG).hexdigest()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged."""
    lines: list[str] = []

    class Log:
        def error(self, text: str, **fields: object) -> None:
            lines.append(text.format(**fields))

        critical = error

    monkeypatch.setattr(damage, "log", Log())
    return lines


def holding() -> tuple[Bench, Node]:
    """A remote that holds a body."""
    made = bench()
    fetched(made, blob(BIG), BIG).readable.release()
    node = made.index.node("r", blob(BIG).path)
    assert node is not None
    return made, node


def local() -> tuple[Bench, Node]:
    """The same, as if somebody had put it there."""
    made, node = holding()
    node = evolve(node, origin="")
    made.index.put(node, synced=True)
    return made, node


def opened(made: Bench, node: Node) -> list[object]:
    """What comes of opening a blob."""
    got: list[object] = []
    Deferred.fromCoroutine(made.remote._shelf.open(node)).addBoth(got.append)
    return got


def read_only(*_: object) -> None:
    """As a disk that takes nothing."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def refill(made: Bench) -> None:
    """A request has it from upstream; the next one from the store."""
    got = made.resolve(blob(BIG))
    assert got == []
    sent = made.upstream.answer(200, Body(len(BIG)))
    sent.send(BIG)
    sent.end()
    assert BIG == content(got[0])
    (answer,) = made.resolve(blob(BIG))
    assert (Origin.HIT, BIG) == (answer.origin, content(answer))


def test_a_missing_blob_of_a_remote_is_told_and_fetched_anew(said: list[str]) -> None:
    """Each time it is lost, and once for all who ask meanwhile."""
    made, _ = holding()
    for losses in (1, 2):
        made.store.delete(SHA)
        refill(made)
        assert (made.recorder.lost, len(said)) == (["missing"] * losses, losses)
    assert f"blob {SHA} is missing, named by ('r:{blob(BIG).path}',)" == said[0]


def test_a_missing_blob_of_a_local_is_told_once_an_hour(said: list[str]) -> None:
    """Its row stays, so everybody who asks meets the loss."""
    made, node = local()
    made.store.delete(SHA)
    for _ in range(3):
        assert [None] == opened(made, node)
    assert (["missing"], 1) == (made.recorder.lost, sum(line.startswith("LOST: r:") for line in said))
    assert node == made.index.node("r", node.path)
    made.clock.advance(TOLD_AGAIN)
    assert [None] == opened(made, node)
    assert ["missing"] * 2 == made.recorder.lost


def test_a_blob_that_was_put_aside_is_not_missing_as_well(said: list[str]) -> None:
    """Who asks for a local one again, or while its name is being taken away, has nothing new to tell."""
    made, node = local()
    got: list[object] = []
    quarantine = made.store.quarantine

    def meanwhile(sha256: str, seen: object) -> bool:
        done = quarantine(sha256, None)
        got.extend(opened(made, node))
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(made.store), "quarantine", lambda _, *names: meanwhile(*names))
        Deferred.fromCoroutine(condemn(made.parts, SHA, "damaged"))
    assert [None, None] == got + opened(made, node)
    assert (["damaged"], 1) == (made.recorder.lost, sum("LOST" in line for line in said))


def test_what_was_evicted_meanwhile_is_not_missing(said: list[str]) -> None:
    """Its row went first: whoever still has the node finds no blob, and that is as it should be."""
    made, node = holding()
    Deferred.fromCoroutine(made.parts.room.eviction.free(1))
    assert [None] == opened(made, node)
    assert ([], []) == (made.recorder.lost, said)


def test_what_names_another_blob_by_now_is_not_missing(said: list[str]) -> None:
    """It was overwritten, and the former bytes were removed."""
    made, node = holding()
    made.store.delete(SHA)
    made.index.put(evolve(node, sha256="0" * 64), synced=True)
    assert [None] == opened(made, node)
    assert ([], []) == (made.recorder.lost, said)


def test_what_is_out_of_sight_for_a_moment_is_served(said: list[str]) -> None:
    """Somebody looks whether it is still needed, and it comes back."""
    made, node = local()
    aside = made.store.set_aside(SHA)
    assert aside is not None
    got = opened(made, node)
    assert [] == got
    aside.restore()
    made.clock.advance(LOOK_SECONDS)
    assert BIG == os.pread(got[0].fileno(), len(BIG), 0)  # type: ignore[attr-defined] # it fails then
    assert ([], []) == (made.recorder.lost, said)


def test_what_stays_out_of_sight_is_not_waited_for_for_ever(said: list[str]) -> None:
    """Whoever has it has died: it comes back at the next start, so it is not lost."""
    made, node = local()
    made.store.set_aside(SHA)
    got = opened(made, node)
    made.clock.pump([LOOK_SECONDS] * LOOKS)
    assert ([None], [], []) == (got, made.recorder.lost, said)


def test_a_folder_that_cannot_be_listed_makes_no_error_of_a_miss(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come back, so that nothing is lost yet; upstream has it meanwhile."""
    made, _ = holding()
    made.store.delete(SHA)
    monkeypatch.setattr(MemoryStore, "is_aside", read_only)
    refill(made)
    assert ([], "out of sight" in said[0]) == (made.recorder.lost, True)


def test_a_database_that_takes_nothing_makes_no_error_of_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row stays; upstream is asked all the same, and it is said once."""
    made, node = holding()
    made.store.delete(SHA)
    monkeypatch.setattr(type(made.index), "remove", lambda *_: fail(RegproxyError(Kind.STORAGE, "full")))
    assert [None, None] == opened(made, node) + opened(made, node)
    assert ["missing"] == made.recorder.lost
    refill(made)


def truncate(made: Bench) -> None:
    """Cut the blob."""
    stored = made.store._blobs[SHA]
    os.ftruncate(stored.descriptor, 1000)
    stored.size = 1000


@pytest.fixture(params=["disk", "index"])
def takes_nothing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Nothing can be put aside, or no row can be removed."""
    if request.param == "disk":
        monkeypatch.setattr(MemoryStore, "quarantine", read_only)
    else:
        monkeypatch.setattr(MemoryIndex, "remove", lambda *_: fail(RegproxyError(Kind.STORAGE, "full")))
    return str(request.param)


def test_a_bad_blob_that_cannot_be_put_aside_is_fetched_each_time(takes_nothing: str, said: list[str]) -> None:
    """It is not served, and nobody is told of the disk's trouble in place of the bytes."""
    made, _ = holding()
    truncate(made)
    made.store.capacity = 0  # what is fetched is not kept
    for count in (2, 3):
        got = made.resolve(blob(BIG))
        assert (got, len(made.upstream.questions)) == ([], count)
        sent = made.upstream.answer(200, Body(len(BIG)))
        sent.send(BIG)
        sent.end()
        assert BIG == content(got[0])
    assert said


def test_a_document_whose_blob_is_bad_is_asked_for_without_conditions(takes_nothing: str, said: list[str]) -> None:
    """Upstream has confirmed it, but there is nothing to serve: all of it has to come."""
    made = bench()
    want = Want("doc", Shape.DOCUMENT)
    fetched(made, want, BIG, etag='"1"').readable.release()
    truncate(made)
    made.clock.advance(100)
    got = made.resolve(want)
    assert '"1"' == made.upstream.questions[-1].headers.first("if-none-match")
    made.upstream.answer(304)
    assert (got, made.upstream.questions[-1].headers.first("if-none-match")) == ([], None)
    sent = made.upstream.answer(200, Body(len(BIG)))
    sent.send(BIG)
    sent.end()
    assert BIG == content(got[0])
    assert said


def test_a_row_that_has_to_stay_is_not_what_another_process_has_brought(takes_nothing: str, said: list[str]) -> None:
    """A flight that is shared does not end with it."""
    seen: list[Terms[object]] = []

    class Noting(Unshared):
        def launch(self, launch: Any, terms: Any) -> Any:
            seen.append(terms)
            return launch

    made = bench(sharing=Noting())
    fetched(made, blob(BIG), BIG).readable.release()
    truncate(made)
    made.resolve(blob(BIG))
    assert not seen[-1].arrived()
    node = made.index.node("r", "a/b")
    assert node is not None
    made.index.put(evolve(node, checked=node.checked + 1), synced=True)
    assert seen[-1].arrived()
    assert said
    made.upstream.fail()  # nothing of it goes on beside the next test


def test_a_local_one_that_cannot_be_put_aside_is_not_served(takes_nothing: str, said: list[str]) -> None:
    """Whoever asks is told that it is damaged, each time; the log says so."""
    made, node = local()
    truncate(made)
    for _ in range(3):
        assert [None] == opened(made, node)
    assert (f"blob {SHA} is of another size, and stays" in said[0]) is (takes_nothing == "disk")


def test_what_could_not_be_put_aside_was_not_told(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that comes then is news."""
    made, node = local()
    truncate(made)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "quarantine", read_only)
        assert [None] == opened(made, node)
    made.store.delete(SHA)
    assert [None] == opened(made, node)
    assert (["missing"], True) == (made.recorder.lost, any("LOST" in line for line in said))


def test_what_could_not_be_told_is_told_later(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The index could not say whose it was."""
    made, node = local()
    made.store.delete(SHA)

    def broken(*_: object) -> None:
        raise RegproxyError(Kind.STORAGE, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryIndex, "nodes_of", broken)
        assert [None] == opened(made, node)
    assert [] == said
    assert [None] == opened(made, node)
    assert any("LOST" in line for line in said)


def test_what_is_stored_again_and_lost_again_is_told_again(said: list[str]) -> None:
    """Whoever has read it meanwhile has seen that it was there."""
    made, node = local()
    for losses in (1, 2):
        made.store.delete(SHA)
        assert [None] == opened(made, node)
        assert ["missing"] * losses == made.recorder.lost
        stored(made.store, BIG)
        opened(made, node)[0].release()  # type: ignore[attr-defined] # it fails then
    assert said


def test_a_truncated_blob_has_another_size(said: list[str]) -> None:
    """As a verification calls it."""
    made, _ = holding()
    truncate(made)
    refill(made)
    assert ["size"] == made.recorder.lost
    assert f"blob {SHA} is of another size, named by" in said[0]
