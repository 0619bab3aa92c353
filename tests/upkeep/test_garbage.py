"""What is garbage goes, what is being registered never is, and limits hold whatever was admitted."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import RepositorySettings
from regproxy.repo.damage import LOOK_SECONDS
from regproxy.repo.eviction import Eviction
from regproxy.store.disk import DiskStore
from regproxy.store.memory import MemoryStore
from regproxy.upkeep import space
from regproxy.upkeep.garbage import EVERY, Collected, Collection, Garbage
from regproxy.upkeep.holding import Held
from regproxy.upkeep.space import SECONDS, UNUSED_SECONDS, Limits, Unused
from tests.conformance.store import name_of, read, stored
from tests.fakes.remote import bench
from tests.repo.test_room import KIB, hold
from tests.upkeep.scene import Holdings
from tests.upkeep.test_space_stateful import SteppingPool


@pytest.fixture
def held(tmp_path: Path) -> Holdings:
    """A store and an index."""
    return Holdings(tmp_path)


def outcome(work: Any) -> Any:
    """What a coroutine brings that has nothing to wait for."""
    got: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(got.append)
    return got[0]


@pytest.mark.parametrize("dry", [True, False])
def test_collection(held: Holdings, *, dry: bool) -> None:
    """A blob whose node was replaced, a file that no row names, a row whose file has gone; the rest stays."""
    good = held.hold(b"good", "p")
    unnamed = held.hold(b"unnamed", "q")
    held.index.remove("r", "q")
    stray = stored(held.store, b"stray")
    held.hold(b"lost", "l")
    held.file(name_of(b"lost")).unlink()
    held.hold(b"local", "own", origin="")
    held.file(name_of(b"local")).unlink()
    report = outcome(Collection(held.parts, dry=dry).run())
    assert Collected(unnamed=1, strays=1, lost=1, bytes=12, dry=dry) == report
    assert (dry, dry) == (read(held.store, unnamed) is not None, read(held.store, stray) is not None)
    assert read(held.store, good) == b"good"
    assert dry == (held.index.node("r", "l") is not None)
    assert held.index.node("r", "own") is not None
    if not dry:
        assert Collected() == outcome(Collection(held.parts).run())


@pytest.mark.parametrize("dry", [True, False])
def test_what_stays_is_not_counted(held: Holdings, *, dry: bool) -> None:
    """A claimed blob with a row or without one, what is pinned: a dry run says what the other one would do."""
    held.hold(b"pinned", "p")
    held.index.pin("r", "p", pinned=True)
    held.file(name_of(b"pinned")).unlink()
    held.hold(b"needed", "q")
    held.index.remove("r", "q")
    claims = [held.store.claim(name_of(b"needed")), held.store.claim(stored(held.store, b"young"))]
    assert Collected(dry=dry) == outcome(Collection(held.parts, dry=dry).run())
    assert None not in claims


@pytest.mark.parametrize("dry", [True, False])
def test_a_row_that_neither_node_nor_file_has(held: Holdings, *, dry: bool) -> None:
    """It is one lost row, whichever pass finds it, and no bytes."""
    held.hold(b"gone", "q")
    held.index.remove("r", "q")
    held.file(name_of(b"gone")).unlink()
    assert Collected(lost=1, dry=dry) == outcome(Collection(held.parts, dry=dry).run())


def stepping(held: Holdings) -> SteppingPool:
    """Let what blocks wait to be told."""
    pool = SteppingPool()
    room = held.parts.room
    room.eviction = Eviction(held.store, held.index, pool, held.recorder)
    held.parts = evolve(held.parts, readers=pool)
    return pool


def ended(pool: SteppingPool, running: list[Any]) -> Any:
    """Let everything run."""
    while pool.jobs:
        pool.turn()
    return running[0]


def collecting(held: Holdings, pool: SteppingPool, until: Callable[[], bool]) -> list[Any]:
    """Begin a collection and let it get to a point."""
    running: list[Any] = []
    Deferred.fromCoroutine(Collection(held.parts).run()).addBoth(running.append)
    while not until():
        pool.turn()
    return running


def test_a_blob_whose_row_is_not_yet_written_stays(held: Holdings) -> None:
    """It is claimed from its commit to its row, and a collection that comes between leaves it alone."""
    pool = stepping(held)
    writer = held.store.create(None)
    writer.write_at(0, [b"new"])
    writer.commit(name_of(b"new"), durable=False, claim=True)
    running = collecting(held, pool, lambda: len(pool.jobs) == 0)
    assert Collected() == running[0]
    writer.settle()
    assert read(held.store, name_of(b"new")) == b"new"
    assert Collected(strays=1, bytes=3) == ended(pool, collecting(held, pool, lambda: len(pool.jobs) == 0))


def test_a_row_that_is_written_while_its_blob_is_judged(held: Holdings) -> None:
    """A collection that saw no row looks once more when the blob is out of sight, and puts it back."""
    pool = stepping(held)
    writer = held.store.create(None)
    writer.write_at(0, [b"new"])
    writer.commit(name_of(b"new"), durable=False, claim=True)
    turns = iter(range(2))
    running = collecting(held, pool, lambda: next(turns, None) is None)  # it has seen the file, and no row
    held.hold(b"new", "p")
    writer.settle()
    assert Collected() == ended(pool, running)
    assert read(held.store, name_of(b"new")) == b"new"


def test_a_commit_while_the_blob_is_out_of_sight(held: Holdings) -> None:
    """Whoever brings it again has it, whatever becomes of the old file."""
    pool = stepping(held)
    name = stored(held.store, b"new")
    running = collecting(held, pool, lambda: read(held.store, name) is None)
    writer = held.store.create(None)
    writer.write_at(0, [b"new"])
    writer.commit(name, durable=False, claim=True)
    ended(pool, running)
    held.hold(b"new", "p")
    writer.settle()
    assert read(held.store, name) == b"new"


def test_a_blob_that_another_process_has_out_of_sight(held: Holdings) -> None:
    """Its row stays: it comes back."""
    name = held.hold(b"x", "p")
    aside = held.store.set_aside(name)
    assert aside is not None
    run, got = Collection(held.parts), list[Collected]()
    Deferred.fromCoroutine(run.run()).addCallback(got.append)
    held.clock.advance(LOOK_SECONDS)
    aside.restore()
    held.clock.advance(LOOK_SECONDS)
    assert ([Collected()], b"x") == (got, read(held.store, name))
    assert held.verify(strict=True).findings == ()


def test_the_job_goes_round(held: Holdings) -> None:
    """A page at a step, then a long pause."""
    stored(held.store, b"stray")
    job = Garbage(held.parts)
    pauses: list[float] = []
    while not pauses or pauses[-1] < EVERY:
        pauses.append(outcome(job.step()))
    assert len(pauses) > 2
    assert list(held.store.each()) == []


def remote(**more: Any) -> RepositorySettings:
    """A repository's settings."""
    return RepositorySettings(key="r", rclass="remote", url="https://a/", **more)


def test_limits_are_kept_to(held: Holdings) -> None:
    """What was stored before there was a limit goes, the oldest first, a step at a time."""
    for number in range(6):
        held.clock.advance(1)
        held.hold(b"%d" % number * 1000, f"p{number}")
    limits = Limits(held.parts, lambda: [remote(max_bytes="4KB")])
    assert outcome(limits.step()) == 0.0
    assert ["p2", "p3", "p4", "p5"] == [node.path for node in held.index.nodes("r")]
    held.parts.room.limit = 2500
    assert outcome(limits.step()) == 0.0
    assert ["p4", "p5"] == [node.path for node in held.index.nodes("r")]
    assert outcome(limits.step()) == SECONDS
    assert (2, 2000) == (limits.held.blobs, limits.held.bytes)


def test_what_is_cached_leaves_for_uploads_though_that_is_not_enough(held: Holdings) -> None:
    """They alone are more than the limit: nothing of it is left to what is cached."""
    held.hold(b"cached" * 100, "a")
    held.hold(b"pushed" * 500, "b", origin="")
    held.parts.room.limit = 2500
    limits = Limits(held.parts, lambda: [remote()])
    assert outcome(limits.step()) == 0.0
    assert ["b"] == [node.path for node in held.index.nodes("r")]
    assert outcome(limits.step()) == SECONDS


@pytest.mark.parametrize("step", [5, 1 << 20])
def test_nothing_cached_goes_in_vain_for_the_disk(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """It is full of what is not ours: what is cached is of more use where it is, also where a step would not be in vain."""
    monkeypatch.setattr(space, "MOST", step * KIB)
    made = bench(store=MemoryStore(capacity=1000 * KIB))
    hold(made, b"c" * 10 * KIB, "cached")
    other = made.store.create(990 * KIB)
    limits = Limits(made.parts, lambda: [made.remote.settings])
    assert outcome(limits.step()) == SECONDS
    assert [node.path for node in made.index.nodes("r")] == ["cached"]
    other.abort()


def test_limit_and_reserve_are_not_added_up() -> None:
    """What is over the one and lacks for the other is the same bytes."""
    made = bench(store=MemoryStore(capacity=1000 * KIB))
    for number in range(9):
        hold(made, bytes([number]) * 100 * KIB, str(number))
    other = made.store.create(100 * KIB)  # somebody else's: nothing is free, 50 are lacking
    made.parts.room.limit = 850 * KIB  # over by 50
    limits = Limits(made.parts, lambda: [made.remote.settings])
    while outcome(limits.step()) == 0.0:
        pass
    assert [node.path for node in made.index.nodes("r")] == list("12345678")
    other.abort()


def test_a_disk_that_lets_nothing_go_is_told_by_the_job(held: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; it comes again."""

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    held.hold(b"cached")
    held.parts.room.limit = 1
    limits = Limits(held.parts, lambda: [remote()])
    with monkeypatch.context() as patch:
        patch.setattr(DiskStore, "set_aside", read_only)
        assert outcome(limits.step()) == SECONDS
    assert not held.store.is_aside(name_of(b"cached"))


def test_a_blob_is_not_left_out_of_sight_by_an_index_that_fails(held: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows then whether it is needed."""
    name = held.hold(b"needed")

    def broken(*_: object) -> None:
        raise RegproxyError(Kind.STORAGE, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(type(held.index), "blob", broken)
        assert isinstance(outcome(held.parts.room.eviction.remove(name)).value, RegproxyError)
    assert (held.store.is_aside(name), read(held.store, name)) == (False, b"needed")


def test_what_nobody_used_for_long_goes(held: Holdings) -> None:
    """By the hours of its repository; pins and use hold it."""
    for path in ("old", "used", "pinned"):
        held.hold(path.encode(), path)
    held.clock.advance(7200)
    held.index.used("r", "used", name_of(b"used"), held.clock.seconds())
    held.index.pin("r", "pinned", pinned=True)
    held.hold(b"new", "new")
    assert outcome(Unused(held.parts, lambda: [remote()]).step()) == UNUSED_SECONDS
    assert len(held.index.nodes("r")) == 4
    job = Unused(held.parts, lambda: [remote(unused_artifacts_cleanup_period_hours=1)])
    assert outcome(job.step()) == UNUSED_SECONDS
    assert ["new", "pinned", "used"] == sorted(node.path for node in held.index.nodes("r"))
    assert read(held.store, name_of(b"old")) is None


def test_look_pin_and_purge(held: Holdings) -> None:
    """By path and by folder; a purged blob that another node names stays."""
    held.hold(b"abc", "a/x", "b")
    held.hold(b"defg", "a/y")
    commands = Held(held.parts)
    looked = outcome(commands.look("r/a/"))
    assert (2, 7, 0) == (looked.nodes, looked.bytes, looked.pinned)
    assert outcome(commands.look("r/a")).nodes == 0
    assert outcome(commands.pin("r/a/x", pinned=True)).pinned == 1
    assert outcome(commands.look("/r")).pinned == 1
    assert outcome(commands.purge("r/a/")).nodes == 2
    assert (b"abc", None) == (read(held.store, name_of(b"abc")), read(held.store, name_of(b"defg")))
    assert outcome(commands.look("r")).nodes == 1
