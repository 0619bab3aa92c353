"""A database file that is broken, missing, locked or full: noticed, bounded, and nothing of it is believed."""

import os
from pathlib import Path

import apsw
import pytest

from regproxy.errors import Kind, RegproxyError
from regproxy.index import damage
from regproxy.index.interface import BlobRow
from regproxy.index.sqlite import SqliteIndex
from tests.conformance.index import node_at, sha256
from tests.index.conftest import Begin
from tests.index.threads import ThreadedClock

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where ``begin`` puts its file."""
    return tmp_path / "state" / "index.sqlite"


def fill(begin: Begin, count: int = 400) -> None:
    """A run that writes some pages and is closed."""
    index, clock = begin()
    for number in range(count):
        index.put(node_at(f"p{number:05}" + "x" * 200, number), synced=True)
    clock.wait(index.close())


def overwrite(path: Path, page: int, count: int = 1) -> None:
    """What ``dd`` does to pages, counting from 0."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(os.urandom(count * PAGE))


def unclean(path: Path) -> None:
    """As if the last run had been killed."""
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE run SET clean = 0")
    connection.close()


def aside(path: Path) -> list[str]:
    """What was put aside."""
    return sorted(found.name.partition("-")[0] for found in path.parent.glob("*.damaged-*"))


def test_a_file_that_is_no_database(begin: Begin, path: Path) -> None:
    """It is put aside, with its bytes, and an empty index serves."""
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"not a database at all" * 1000)
    index, clock = begin()
    assert index.is_new
    clock.wait(index.put(node_at("p"), synced=True))
    assert node_at("p") == index.node("npm", "p")
    assert aside(path) == ["index.sqlite.damaged"]


def test_a_broken_page_is_found_after_an_unclean_stop(begin: Begin, path: Path) -> None:
    """Every page is looked at then; nothing of the file is served."""
    fill(begin)
    unclean(path)
    overwrite(path, 20, 4)
    index, _ = begin()
    assert (index.is_new, list(index.each_blob()), aside(path)) == (True, [], ["index.sqlite.damaged"])


def test_a_broken_header_is_found_at_once(begin: Begin, path: Path) -> None:
    """Whatever the last run said."""
    fill(begin)
    overwrite(path, 0)
    index, _ = begin()
    assert index.is_new


def test_a_broken_page_that_is_met_while_serving(begin: Begin, path: Path) -> None:
    """Reading it is an error of storage, not a crash, and the next start begins anew."""
    fill(begin)
    overwrite(path, path.stat().st_size // PAGE // 2, 10)
    index, clock = begin()
    failures = []
    for number in range(400):
        try:
            index.node("npm", f"p{number:05}" + "x" * 200)
        except RegproxyError as error:
            failures.append(error)
    assert {error.kind for error in failures} == {Kind.STORAGE}
    clock.wait(index.close())
    again, _ = begin()
    assert (again.was_clean, again.is_new) == (True, True)


def test_a_good_file_is_kept(begin: Begin, path: Path) -> None:
    """An unclean stop alone takes nothing away."""
    fill(begin, 10)
    unclean(path)
    index, _ = begin()
    assert (index.is_new, index.was_clean, len(list(index.each_blob())), aside(path)) == (False, False, 10, [])


def test_a_deleted_file(begin: Begin, path: Path) -> None:
    """The next start has a new one."""
    fill(begin, 10)
    path.unlink()
    index, _ = begin()
    assert (index.is_new, list(index.each_blob())) == (True, [])


def test_adopted_blobs(begin: Begin) -> None:
    """They get rows that nothing names; a row that is there already stays."""
    index, clock = begin()
    clock.wait(index.put(node_at("p", 1), synced=True))
    rows = [BlobRow(sha256(number), 7, synced=False, last_used=5.0) for number in (1, 2)]
    assert 1 == clock.wait(index.adopt(rows))
    assert [row.sha256 for row in index.unreferenced()] == [sha256(2)]
    found = index.blob(sha256(1))
    assert found is not None
    assert found.synced


def test_a_full_disk_is_an_error_that_passes(begin: Begin) -> None:
    """SQLITE_FULL fails the change, keeps the index, and is over when there is room."""
    index, clock = begin()
    assert index._writer is not None
    connection = index._writer._connection
    pages = connection.pragma("page_count")
    connection.pragma("max_page_count", pages)

    def put_many() -> None:
        for number in range(200):
            clock.wait(index.put(node_at(f"p{number:05}" + "x" * 500, number), synced=True))

    with pytest.raises(RegproxyError, match="cannot be written"):
        put_many()
    connection.pragma("max_page_count", 1 << 30)
    clock.wait(index.put(node_at("later"), synced=True))
    assert node_at("later") == index.node("npm", "later")


def test_a_writer_elsewhere_delays_only_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locked: reads go on, a write waits in its thread for as long as it is told, then fails; later ones succeed."""
    path = tmp_path / "index.sqlite"
    clock = ThreadedClock()
    index = SqliteIndex(path, clock)
    index.start()
    clock.wait(index.put(node_at("p"), synced=True))
    assert index._writer is not None
    index._writer._connection.set_busy_timeout(200)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    assert index.node("npm", "q") is None
    with pytest.raises(RegproxyError, match="cannot be written"):
        clock.wait(index.put(node_at("q"), synced=True))
    other.execute("ROLLBACK")
    other.close()
    clock.wait(index.put(node_at("q"), synced=True))
    clock.wait(index.close())


def test_the_check_can_fail(begin: Begin, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look at every page the broken one would be served from: the tests above see it."""
    fill(begin)
    unclean(path)
    overwrite(path, 20, 4)
    monkeypatch.setattr(damage, "_check", lambda _: None)
    index, _ = begin()
    assert not index.is_new
