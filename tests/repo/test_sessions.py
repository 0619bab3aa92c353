"""Uploads for which there is no descriptor: nothing of them stays open, and what had come can be gone on with."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.deposit import Upload
from regproxy.model.settings import RepositorySettings
from regproxy.repo.intake import Intake
from regproxy.repo.sessions import Sessions
from regproxy.repo.storing import Storing
from regproxy.store import spool
from regproxy.store.disk import DiskStore
from regproxy.store.interface import Space
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.held import Held
from tests.fakes.remote import Body
from tests.repo.test_room_trouble import Slow
from tests.store.test_disk import open_below
from tests.upkeep.scene import Holdings


def outcome(work: Any) -> Any:
    """What a coroutine brings that has nothing to wait for."""
    got: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(got.append)
    return got[0]


def used_up(*_: object, **__: object) -> None:
    """There is none."""
    raise OSError(errno.EMFILE, "used up")


def full(_: int, length: int, *__: object) -> None:
    """There is no room for anything."""
    if length:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock falls: the next request is not told that somebody is writing."""
    held, settings = Holdings(tmp_path), RepositorySettings(key="own", rclass="local")
    nobody: Any = None
    sessions = Sessions(held.parts, Intake(settings, held.parts, nobody))
    name = outcome(sessions.begin("a"))
    with monkeypatch.context() as patch:
        patch.setattr(GrowingBlob, "over", used_up)
        outcome(sessions.append(name, "a", Held(b"x"))).trap(RegproxyError)
    assert open_below(tmp_path) == []
    writer = held.store.resume(name, None)
    assert writer is not None
    writer.abort()


def test_an_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves no spool file behind."""
    held = Holdings(tmp_path)
    nobody: Any = None
    with monkeypatch.context() as patch:
        patch.setattr(GrowingBlob, "over", used_up)
        outcome(Storing(held.parts, nobody).body(Held(b"x"))).trap(RegproxyError)
    assert (open_below(tmp_path), held.store.unfinished()) == ([], [])


def test_a_piece_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends the session: nobody can go on with it, and what has come would only take room."""
    held, settings = Holdings(tmp_path), RepositorySettings(key="own", rclass="local")
    nothing: Any = _Empty()
    free = [1 << 30]
    monkeypatch.setattr(DiskStore, "space", lambda _: Space(1 << 30, free[0]))
    sessions = Sessions(held.parts, Intake(settings, held.parts, nothing))
    name = outcome(sessions.begin("a"))
    assert outcome(sessions.append(name, "a", Held(b"x"))) == 1
    body = Body(None)
    ended: list[Any] = []
    Deferred.fromCoroutine(sessions.append(name, "a", body)).addBoth(ended.append)
    body.send(b"yy")
    assert ended == []
    assert held.store.unfinished() != []
    free[0] = 0
    body.send(b"zz")
    assert ended[0].value.kind is Kind.NO_ROOM
    assert (open_below(tmp_path), held.store.unfinished()) == ([], [])
    outcome(sessions.received(name, "a")).trap(RegproxyError)


@pytest.mark.parametrize("refuses", ["space", "reserving"])
def test_a_piece_whose_length_there_is_no_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: str) -> None:
    """The same, though nothing of it is taken: not before what it takes is looked for, nor when the disk is to reserve it."""
    held, settings = Holdings(tmp_path), RepositorySettings(key="own", rclass="local")
    nothing: Any = _Empty()
    sessions = Sessions(held.parts, Intake(settings, held.parts, nothing))
    name = outcome(sessions.begin("a"))
    assert outcome(sessions.append(name, "a", Held(b"x"))) == 1
    if refuses == "space":
        monkeypatch.setattr(DiskStore, "space", lambda _: Space(1 << 30, 0))
    else:
        monkeypatch.setattr(spool, "reserve", full)
    body = Body(1 << 20)
    assert outcome(sessions.append(name, "a", body)).value.kind is Kind.NO_ROOM
    assert (body.aborted, open_below(tmp_path), held.store.unfinished()) == (True, [], [])


def test_a_piece_that_somebody_else_is_sending_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another request would take: the session is his who writes to it."""
    held, settings = Holdings(tmp_path), RepositorySettings(key="own", rclass="local")
    nothing: Any = _Empty()
    sessions = Sessions(held.parts, Intake(settings, held.parts, nothing))
    name, sent = outcome(sessions.begin("a")), Body(None)
    ended: list[Any] = []
    Deferred.fromCoroutine(sessions.append(name, "a", sent)).addBoth(ended.append)
    with monkeypatch.context() as patch:
        patch.setattr(DiskStore, "space", lambda _: Space(1 << 30, 0))
        assert outcome(sessions.append(name, "a", Body(1 << 20))).value.kind is Kind.NO_ROOM
    sent.send(b"yy")
    sent.end()
    assert ended == [2]


def test_an_upload_that_is_complete_is_finished_though_only_the_reserve_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last piece, of unknown length, went a little into that. The request that closes it brings nothing."""
    held, settings = Holdings(tmp_path), RepositorySettings(key="own", rclass="local")
    nothing: Any = _Empty()
    reserve = (1 << 30) // 20

    def space(store: DiskStore) -> Space:
        used = sum((tmp_path / "store" / "spool" / name).stat().st_size for name in store.unfinished())
        return Space(1 << 30, reserve + 500 - used)

    monkeypatch.setattr(DiskStore, "space", space)
    sessions = Sessions(held.parts, Intake(settings, held.parts, nothing))
    name, body = outcome(sessions.begin("a")), Body(None)
    ended: list[Any] = []
    Deferred.fromCoroutine(sessions.append(name, "a", body)).addBoth(ended.append)
    for _ in range(2):
        body.send(b"x" * 500)
    body.end()
    assert ended == [1000]
    with pytest.raises(AttributeError, match="deposit"):  # as far as these holdings go
        outcome(sessions.finish(name, Upload("a", ()), "a", Held(b""))).raiseException()


def test_what_is_uploaded_is_brought_to_the_disk_by_threads_of_its_own(tmp_path: Path) -> None:
    """That takes as long as the largest takes; those that write would look like a disk that stands still."""
    held, settings = Holdings(tmp_path), RepositorySettings(key="own", rclass="local")
    waiting: list[Callable[[], None]] = []
    syncs: Any = Slow(waiting)
    parts = evolve(held.parts, syncs=syncs)
    ended: list[Any] = []
    Deferred.fromCoroutine(Storing(parts, Sessions).body(Held(b"whole"))).addBoth(ended.append)  # type: ignore[arg-type] # not asked
    nothing: Any = _Empty()
    sessions = Sessions(parts, Intake(settings, parts, nothing))
    name = outcome(sessions.begin("a"))
    Deferred.fromCoroutine(sessions.finish(name, Upload("a", ()), "a", Held(b"pieces"))).addBoth(ended.append)
    assert (len(waiting), ended) == (2, [])
    for sync in waiting:
        sync()
    assert (ended[0].size, len(ended)) == (5, 2)


class _Empty:
    """Holdings in which there is nothing."""

    def folder(self, *_: object) -> None:
        """There is none."""
