"""What only an index with a file and a thread can do wrong: restarts, caches, failures of single changes, foreign schemas."""

import stat
import threading
from pathlib import Path
from typing import cast

import apsw
import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor

from regproxy.errors import Kind, RegproxyError
from regproxy.index import migrate
from regproxy.index.hot import HotNodes
from regproxy.index.interface import Sum
from regproxy.index.sqlite import FLUSH_SECONDS, Reactor, SqliteIndex
from regproxy.model.node import Negative
from tests.conformance.index import node_at, sha256
from tests.index.conftest import Begin
from tests.index.threads import ThreadedClock


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Look into a file."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return list(connection.execute(sql).fetchall())
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where ``begin`` puts its file."""
    return tmp_path / "state" / "index.sqlite"


def test_a_restart_keeps_everything(begin: Begin) -> None:
    """What was written in one run is there in the next, which knows that the stop was clean."""
    index, clock = begin()
    clock.wait(index.put(node_at("p"), synced=False))
    clock.wait(index.remember("name", "word"))
    clock.wait(index.close())
    again, _ = begin()
    assert again.was_clean
    assert node_at("p") == again.node("npm", "p")
    assert again.word("name") == "word"


def test_a_run_that_is_not_closed_is_known(begin: Begin, path: Path) -> None:
    """While an index is open its file says that nobody has closed it."""
    index, clock = begin()
    assert rows(path, "SELECT clean FROM run") == [(0,)]
    second = SqliteIndex(path, ThreadedClock())
    second.start()
    assert not second.was_clean
    second._reactor.wait(second.close())  # type: ignore[attr-defined]  # it is the clock above
    clock.wait(index.close())
    assert rows(path, "SELECT clean FROM run") == [(1,)]


def test_close_writes_what_is_queued_and_counted(begin: Begin, path: Path) -> None:
    """Neither a change that nobody waited for nor a counted download is lost, and the thread ends."""
    index, clock = begin()
    for number in range(50):
        index.put(node_at(f"p{number}"), synced=True)
    index.downloaded("npm", "p1", 500.0, "ann")
    index.downloaded("npm", "p1", 400.0, "bob")
    clock.wait(index.close())
    assert rows(path, "SELECT count(*) FROM nodes") == [(50,)]
    assert rows(path, "SELECT downloads, last_downloaded, last_downloaded_by FROM nodes WHERE path = 'p1'") == [(2, 500.0, "ann")]
    assert clock.getDelayedCalls() == []
    assert "regproxy-index" not in [thread.name for thread in threading.enumerate()]
    assert not path.with_name("index.sqlite-wal").exists()


def test_a_closed_index_refuses_changes(begin: Begin) -> None:
    """A change after the close fails; a second close does nothing."""
    index, clock = begin()
    clock.wait(index.close())
    with pytest.raises(RegproxyError, match="closed"):
        clock.wait(index.put(node_at("p"), synced=True))
    index.used("npm", "p", sha256(1), 1.0)
    clock.wait(index.close())
    assert clock.getDelayedCalls() == []


def test_a_download_before_its_node(begin: Begin, path: Path) -> None:
    """Is counted when there is one, a moment later; one of what never comes is tried twice, and forgotten."""
    index, clock = begin()
    for name in ("p", "never"):
        index.downloaded("npm", name, 5.0, "ann")
    clock.advance(FLUSH_SECONDS)
    clock.wait(index.put(node_at("p"), synced=True))
    clock.advance(FLUSH_SECONDS)
    clock.wait(index.remember("behind", "it"))
    clock.wait(index.remember("behind", "it"))
    assert rows(path, "SELECT downloads, last_downloaded, last_downloaded_by FROM nodes") == [(1, 5.0, "ann")]
    assert clock.getDelayedCalls() == []


def test_downloads_are_written_in_batches(begin: Begin, path: Path) -> None:
    """Nothing is written at once; after the period, everything; then the clock is left alone."""
    index, clock = begin()
    clock.wait(index.put(node_at("p"), synced=True))
    for when in (1.0, 2.0, 3.0):
        index.used("npm", "p", sha256(1), when)
        index.downloaded("npm", "p", when, "")
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(FLUSH_SECONDS)
    clock.wait(index.remember("behind", "it"))
    assert rows(path, "SELECT downloads, last_downloaded FROM nodes") == [(3, 3.0)]
    assert clock.getDelayedCalls() == []


def test_one_bad_change_fails_alone(begin: Begin) -> None:
    """Of changes that share a transaction only the impossible one fails, and leaves nothing of itself behind."""
    index, clock = begin()
    bad = evolve(node_at("bad", 2), size=1 << 70)
    results = [index.put(node_at("one"), synced=True), index.put(bad, synced=True), index.put(node_at("two"), synced=True)]
    clock.wait(results[0])
    with pytest.raises(OverflowError):
        clock.wait(results[1])
    clock.wait(results[2])
    assert index.node("npm", "bad") is None
    assert index.blob(sha256(2)) is None
    assert node_at("two") == index.node("npm", "two")


def test_a_change_that_breaks_half_way_is_undone(begin: Begin) -> None:
    """A put whose second statement is refused leaves no row of its first."""
    index, clock = begin()
    with pytest.raises(RegproxyError, match="index") as caught:
        clock.wait(index.put(evolve(node_at("p", 2), path=None), synced=True))  # type: ignore[arg-type]  # NOT NULL refuses it
    assert caught.value.kind is Kind.STORAGE
    assert index.blob(sha256(2)) is None
    clock.wait(index.put(node_at("p"), synced=True))


def test_a_lost_transaction_fails_everybody_in_it(begin: Begin) -> None:
    """If SQLite gives up the whole transaction, each of its changes fails, and the next transaction works."""
    index, clock = begin()
    assert index._writer is not None
    started, go_on = threading.Event(), threading.Event()

    def stall(_: apsw.Connection) -> None:
        started.set()
        go_on.wait(30)

    def give_up(connection: apsw.Connection) -> None:
        connection.execute("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    first = index._writer.write(stall, lambda: None)
    started.wait(30)
    lost = [index.put(node_at("p"), synced=True), index._writer.write(give_up, lambda: None)]
    go_on.set()
    clock.wait(first)
    for deferred in lost:
        with pytest.raises(RegproxyError, match="cannot be written"):
            clock.wait(deferred)
    assert index.node("npm", "p") is None
    clock.wait(index.put(node_at("p"), synced=True))
    assert node_at("p") == index.node("npm", "p")


def test_readers_see_a_change_when_they_hear_of_it(begin: Begin) -> None:
    """A node that was read while its change was on the way is read anew by whoever was told of the change."""
    index, clock = begin()
    clock.wait(index.put(node_at("p", 1), synced=True))
    assert node_at("p", 1) == index.node("npm", "p")
    seen: list[object] = []
    change = index.put(node_at("p", 2), synced=True)
    index.node("npm", "p")
    change.addCallback(lambda _: seen.append(index.node("npm", "p")))
    clock.wait(change)
    assert [node_at("p", 2)] == seen


def test_hot_nodes_are_bounded() -> None:
    """The node that was not read for the longest time makes room."""
    hot = HotNodes(capacity=2)
    for path in ("a", "b"):
        hot.add(("npm", path), node_at(path))
    assert hot.get(("npm", "a")) is not None
    hot.add(("npm", "c"), node_at("c"))
    assert hot.get(("npm", "b")) is None
    assert node_at("a") == hot.get(("npm", "a"))


def test_long_expired_negatives_go(begin: Begin) -> None:
    """Negative answers do not pile up: what expired more than an hour ago is dropped, what expired lately is not."""
    index, clock = begin()
    clock.advance(10_000)
    for name, expires in (("old", 6000.0), ("new", 9000.0)):
        clock.wait(index.deny(Negative("npm", name, 404, expires)))
    clock.advance(3600)
    clock.wait(index.deny(Negative("npm", "later", 404, 20_000.0)))
    assert index.negative("npm", "old") is None
    assert index.negative("npm", "later") is not None
    clock.wait(index.deny(Negative("npm", "old", 404, 6000.0)))
    assert index.negative("npm", "old") is not None


def test_scans_may_run_in_any_thread(begin: Begin) -> None:
    """Listing is done beside the reactor's thread, while that one reads."""
    index, clock = begin()
    for number in range(3):
        clock.wait(index.put(node_at(f"p{number}", number), synced=False))
    found: list[int] = []

    def scan() -> None:
        scans = (index.nodes("npm"), index.unsynced(), index.unreferenced(), list(index.each_blob()))
        found.extend(map(len, scans))

    thread = threading.Thread(target=scan)
    thread.start()
    while thread.is_alive():
        index.blob(sha256(1))
    thread.join()
    assert found == [3, 3, 0, 3]


def test_each_blob_in_pages(begin: Begin) -> None:
    """All blobs are seen, also those beyond the first page."""
    index, clock = begin()
    numbers = range(2100)
    changes = [index.put(node_at(f"p{number}", number), synced=True) for number in numbers]
    for change in changes:
        clock.wait(change)
    assert [sha256(number) for number in numbers] == [row.sha256 for row in index.each_blob()]


def test_the_file_is_ours_alone(begin: Begin, path: Path) -> None:
    """Nobody else may read it or its companions."""
    index, clock = begin()
    clock.wait(index.remember("a", "b"))
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


def test_a_newer_schema_is_refused(begin: Begin, path: Path) -> None:
    """A file that a newer program has written is left alone, with a clear word."""
    index, clock = begin()
    clock.wait(index.close())
    rows(path, "INSERT INTO schema_version VALUES (999, 0.0, 'x')")
    with pytest.raises(RegproxyError, match="schema 999, which is newer") as caught:
        SqliteIndex(path, clock).start()
    assert caught.value.kind is Kind.STORAGE
    assert rows(path, "SELECT clean FROM run") == [(1,)]


def test_a_foreign_schema_is_refused(begin: Begin, path: Path) -> None:
    """A file whose first step was another than ours is left alone."""
    index, clock = begin()
    clock.wait(index.close())
    rows(path, "UPDATE schema_version SET checksum = 'other' WHERE version = 1")
    with pytest.raises(RegproxyError, match="another schema 1"):
        SqliteIndex(path, clock).start()


def test_steps_are_applied_once_and_in_order(begin: Begin, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer program brings an older file up to its own schema; a step that fails leaves the file as it was."""
    index, clock = begin()
    clock.wait(index.put(node_at("p"), synced=True))
    clock.wait(index.close())
    shipped = migrate.steps()
    second = migrate.Step(9001, "CREATE TABLE extra (x INTEGER); INSERT INTO extra VALUES (7);")
    third = migrate.Step(9002, "CREATE TABLE half (x INTEGER); INSERT INTO nowhere VALUES (1);")
    monkeypatch.setattr(migrate, "steps", lambda: [*shipped, second, third])
    with pytest.raises(apsw.SQLError, match="nowhere"):
        begin()
    assert rows(path, "SELECT max(version) FROM schema_version") == [(shipped[-1].version,)]
    monkeypatch.setattr(migrate, "steps", lambda: [*shipped, second])
    again, _ = begin()
    assert rows(path, "SELECT x FROM extra") == [(7,)]
    assert node_at("p") == again.node("npm", "p")


def test_what_was_held_before_there_were_sums_is_counted(begin: Begin, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of the first schema gets its sums and uses when it is upgraded."""
    ours = migrate.steps()
    monkeypatch.setattr(migrate, "steps", lambda: ours[:1])
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = migrate.connect(path)
    migrate.upgrade(connection, 1.0)
    for number, when in ((1, 20.0), (2, 10.0)):
        connection.execute("INSERT INTO blobs VALUES (?, ?, 1, ?)", (sha256(number), number * 10, when))
        for name in ("a", "b"):
            connection.execute(
                "INSERT INTO nodes VALUES ('npm', ?, ?, ?, NULL, NULL, NULL, '', '', ?, ?, ?, 'https://a/', 0, NULL)",
                (f"{name}{number}", sha256(number), number * 10, when, when, when),
            )
    connection.close()
    monkeypatch.setattr(migrate, "steps", lambda: ours)
    index, _ = begin()
    assert Sum(2, 30) == index.held() == index.held("npm")
    assert ["a2", "b2", "a1", "b1"] == [use.path for use in index.least_used_in("npm", 1e12)]


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A SQLite that may lose commits is not used."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(RegproxyError, match=r"3\.51\.2 is too old"):
        SqliteIndex(path, ThreadedClock()).start()


@pytest_twisted.ensureDeferred
async def test_on_the_real_reactor(tmp_path: Path) -> None:
    """Deferreds fire in the reactor's thread."""
    index = SqliteIndex(tmp_path / "index.sqlite", cast("Reactor", reactor))
    index.start()
    threads: list[str] = []
    change = index.put(node_at("p"), synced=True)
    change.addCallback(lambda _: threads.append(threading.current_thread().name))
    await change
    assert [threading.current_thread().name] == threads
    assert node_at("p") == index.node("npm", "p")
    await index.close()


def test_every_step_of_the_schema_has_a_number_of_its_own() -> None:
    """Of two with one number one would never be applied."""
    versions = [step.version for step in migrate.steps()]
    assert len(set(versions)) == len(versions)
